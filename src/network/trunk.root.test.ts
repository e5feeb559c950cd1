import { afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, encode } from 'dns-packet';
import { silentLogger } from '../errors/logger.ts';
import { inOwnNamespaces } from '../sys/testing/own-namespaces.ts';
import { patience } from '../sys/testing/patience.ts';
import { BridgeNetworks, type BridgeNetworksOptions } from './bridge-networks.ts';
import type { CreateNetworkRequest, Endpoint } from './network-driver.ts';

// What follows makes interfaces and rules: never in the namespace of the machine.
if (!inOwnNamespaces()) throw new Error('Run this file by scripts/test.mjs: it needs namespaces of its own');

interface Member {
  pin: string;
  endpoint: Endpoint;
}

let base = '';
let execRoot = '';
const open: BridgeNetworks[] = [];

function sh(command: string): string {
  const done = Bun.spawnSync(['sh', '-ec', command]);
  if (done.exitCode !== 0) throw new Error(`${command}: ${done.stderr.toString()}`);
  return done.stdout.toString();
}

async function canPing(pin: string | undefined, address: string): Promise<boolean> {
  const ping = ['busybox', address.includes(':') ? 'ping6' : 'ping', '-c', '2', '-W', '1', address];
  const command = pin === undefined ? ping : ['nsenter', `--net=${pin}`, ...ping];
  return (await Bun.spawn(command, { stdio: ['ignore', 'ignore', 'ignore'] }).exited) === 0;
}

async function networks(options: Partial<BridgeNetworksOptions> = {}): Promise<BridgeNetworks> {
  const made = new BridgeNetworks({ execRoot, owner: base, logger: silentLogger, ...options });
  open.push(made);
  await made.start();
  return made;
}

const request = (name: string, options: Record<string, string> = {}): CreateNetworkRequest => ({
  name,
  driver: 'bridge',
  scope: '',
  internal: false,
  attachable: false,
  ingress: false,
  configOnly: false,
  configFrom: '',
  enableIpv4: true,
  enableIpv6: true,
  ipamDriver: '',
  ipamOptions: undefined,
  subnets: [],
  options,
  labels: {},
});

async function joinNetwork(net: BridgeNetworks, network: string, at: number): Promise<Member> {
  const id = `${network}${at}`;
  const pin = await net.createNamespace(id);
  const forwarding = { servers: [], fromContainer: false };
  return { pin, endpoint: await net.connect({ containerId: id, network, names: [id, 'many'], forwarding }) };
}

async function members(net: BridgeNetworks, network: string, count: number): Promise<Member[]> {
  const joined: Member[] = [];
  for (let at = 0; at < count; at++) joined.push(await joinNetwork(net, network, at));
  return joined;
}

/** IPv6 addresses are looked into for a second or two (RFC 4862). */
async function settled(of: readonly Member[]): Promise<void> {
  for (const { pin } of of)
    while (sh(`nsenter --net=${pin} ip -6 addr show tentative`).trim() !== '') await Bun.sleep(50);
}

/** Who of these reaches whom, by both families, as a matrix of `+` and `.`; oneself is `-`. */
async function mesh(of: readonly Member[], family: 'ipv4' | 'ipv6'): Promise<string[]> {
  const rows = of.map(async ({ pin }, from) => {
    const marks = of.map(async ({ endpoint }, to) => {
      if (from === to) return '-';
      return (await canPing(pin, endpoint[family]!.address)) ? '+' : '.';
    });
    return (await Promise.all(marks)).join('');
  });
  return await Promise.all(rows);
}

const full = (count: number, mark: string): string[] =>
  Array.from({ length: count }, (_, at) => `${mark.repeat(at)}-${mark.repeat(count - at - 1)}`);

const ours = (): string[] =>
  sh('ip -o link')
    .split('\n')
    .flatMap((line) => /^\d+: ((?:br-|smp-|sampan0|v[etu][0-9a-f])[^:@]*)/.exec(line)?.[1] ?? []);

beforeAll(() => {
  sh('ip link set lo up');
});
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sampan-trunk-'));
  sh(`mount --bind ${base} ${base} && mount --make-private ${base}`);
  execRoot = mkdtempSync(join(base, 'exec-'));
});
afterEach(async () => {
  for (const one of open.splice(0)) {
    await one.recover([], new Set()).catch(() => undefined);
    await one.close().catch(() => undefined);
  }
  for (const name of ours()) sh(`ip link del ${name} 2>/dev/null || true`);
  sh(`nft flush ruleset; umount -l ${base}`);
  rmSync(base, { recursive: true });
}, 120_000 * patience);

test(
  'containers past the ports of a bridge are on the same network as the others',
  async () => {
    const net = await networks({ portsPerBridge: 3 });
    const { id } = await net.create(request('n'));
    const all = await members(net, 'n', 7);
    const onTrunk = all.filter(({ endpoint }) => endpoint.hostInterfaceName === '');
    expect(onTrunk).toHaveLength(4);
    await settled(all);
    expect(await mesh(all, 'ipv4')).toEqual(full(7, '+'));
    expect(await mesh(all, 'ipv6')).toEqual(full(7, '+'));
    const last = all.at(-1)!;
    for (const address of [last.endpoint.ipv4!, last.endpoint.ipv6!]) {
      expect(await canPing(undefined, address.address)).toBe(true);
      expect(await canPing(last.pin, address.gateway)).toBe(true);
    }
    // Inside it looks like any other.
    const link = sh(`nsenter --net=${last.pin} ip link show eth0`);
    expect(link).toContain('mtu 1500');
    expect(link).toContain(`link/ether ${last.endpoint.macAddress}`);
    // Who leaves a port makes room for the next.
    await net.disconnect(all[0]!.endpoint);
    const again = await net.connect({ containerId: 'n0', network: 'n' });
    expect(again.hostInterfaceName).not.toBe('');
    for (const endpoint of net.endpointsOf(id)) await net.disconnect(endpoint);
    await net.remove(id);
    expect(ours()).toEqual(['sampan0']);
  },
  60_000 * patience,
);

test(
  'where containers may not speak to each other, none does by the trunk',
  async () => {
    const net = await networks({ portsPerBridge: 2 });
    await net.create(request('n', { 'com.docker.network.bridge.enable_icc': 'false' }));
    const all = await members(net, 'n', 5);
    await settled(all);
    expect(await mesh(all, 'ipv4')).toEqual(full(5, '.'));
    expect(await mesh(all, 'ipv6')).toEqual(full(5, '.'));
    // Told where a neighbour is, it does not get there either.
    const [from, to] = [all[3]!, all[4]!];
    sh(
      `nsenter --net=${from.pin} ip neigh replace ${to.endpoint.ipv4!.address} lladdr ${to.endpoint.macAddress} dev eth0`,
    );
    expect(await canPing(from.pin, to.endpoint.ipv4!.address)).toBe(false);
    for (const { pin, endpoint } of all) expect(await canPing(pin, endpoint.ipv4!.gateway)).toBe(true);
  },
  60_000 * patience,
);

test(
  'networks stay apart, on trunks or not',
  async () => {
    const net = await networks({ portsPerBridge: 1 });
    await net.create(request('one'));
    await net.create(request('two'));
    const [one, two] = [await members(net, 'one', 2), await members(net, 'two', 2)];
    await settled([...one, ...two]);
    for (const { pin } of one)
      for (const { endpoint } of two) expect(await canPing(pin, endpoint.ipv4!.address)).toBe(false);
  },
  60_000 * patience,
);

test(
  'a restarted daemon leaves a trunk as it is, and a bridge that was removed gets its trunk back',
  async () => {
    const first = await networks({ portsPerBridge: 1 });
    const all: Member[] = [];
    for (let at = 0; at < 3; at++) {
      const pin = await first.createNamespace(`c${at}`);
      all.push({ pin, endpoint: await first.connect({ containerId: `c${at}`, network: 'bridge' }) });
    }
    const before = sh('ip -o link show | grep -E "v[tu][0-9a-f]"');
    const next = await networks({ portsPerBridge: 1 });
    await next.recover(
      all.map(({ endpoint }) => endpoint),
      new Set(['c0', 'c1', 'c2']),
    );
    expect(sh('ip -o link show | grep -E "v[tu][0-9a-f]"')).toBe(before);
    expect(await mesh(all, 'ipv4')).toEqual(full(3, '+'));
    sh('ip link del sampan0');
    await next.start();
    expect(await mesh(all, 'ipv4')).toEqual(full(3, '+'));
    for (const { endpoint } of all) await next.disconnect(endpoint);
    for (const at of [0, 1, 2]) await next.removeNamespace(`c${at}`);
    await next.close();
    expect(ours()).toEqual([]);
  },
  60_000 * patience,
);

test(
  'a port that a container on the trunk publishes is reached from everywhere',
  async () => {
    const net = await networks({ portsPerBridge: 1 });
    await net.create(request('n'));
    const all = await members(net, 'n', 3);
    const server = all[1]!;
    const listen = [
      'nsenter',
      `--net=${server.pin}`,
      'busybox',
      'nc',
      '-ll',
      '-p',
      '80',
      '-e',
      'echo',
      'hello',
    ];
    const child = Bun.spawn(listen, { stdio: ['ignore', 'ignore', 'ignore'] });
    try {
      const port = { protocol: 'tcp', containerPort: 80, hostAddresses: [''], hostPorts: undefined } as const;
      const [published] = await net.ports.publish({
        containerId: server.endpoint.containerId,
        containerName: 'server',
        ipv4: server.endpoint.ipv4!.address,
        ipv6: server.endpoint.ipv6!.address,
        ports: [{ ...port, hostAddresses: [...port.hostAddresses] }],
        routed: [],
        shared: false,
      });
      const { gateway } = server.endpoint.ipv4!;
      const ask = async (prefix: string[]): Promise<string> => {
        for (let tries = 0; ; tries++) {
          const command = [...prefix, 'busybox', 'nc', '-w', '1', gateway, String(published!.hostPort)];
          const answer = await new Response(Bun.spawn(command, { stdin: 'ignore' }).stdout).text();
          if (answer !== '' || tries === 10) return answer.trim();
          await Bun.sleep(100);
        }
      };
      expect(await ask([])).toBe('hello');
      for (const { pin } of all) expect(await ask(['nsenter', `--net=${pin}`])).toBe('hello');
    } finally {
      child.kill('SIGKILL');
      await net.ports.withdraw(server.endpoint.containerId);
    }
  },
  60_000 * patience,
);

/** The addresses of a name, asked from a container by TCP. */
async function addressesOf(pin: string, name: string): Promise<string[]> {
  const query = encode({ type: 'query', id: 1, flags: 256, questions: [{ type: 'A', name, class: 'IN' }] });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(query.length);
  const child = Bun.spawn(['nsenter', `--net=${pin}`, 'busybox', 'nc', '-w', '2', '127.0.0.11', '53'], {
    stdin: new Blob([length, query]),
    stdout: 'pipe',
    stderr: 'ignore',
  });
  const answer = Buffer.from(await new Response(child.stdout).arrayBuffer());
  return (decode(answer.subarray(2)).answers ?? []).flatMap((one) => (one.type === 'A' ? [one.data] : []));
}

// SAMPAN_TEST_ENDPOINTS=1500: the whole of it, with the bridge's own limit; it takes a minute and a half.
const COUNT = Number(process.env['SAMPAN_TEST_ENDPOINTS'] ?? 60);

test(
  `${COUNT} containers on one network, a third of them on the trunk`,
  async () => {
    const portsPerBridge = (COUNT * 2) / 3;
    const net = await networks({ portsPerBridge });
    await net.create({ ...request('big'), enableIpv6: false });
    const startedMs = performance.now();
    const all = await members(net, 'big', COUNT);
    const joinedMs = performance.now() - startedMs;
    expect(all.filter(({ endpoint }) => endpoint.hostInterfaceName === '')).toHaveLength(
      COUNT - portsPerBridge,
    );
    expect(new Set(all.map(({ endpoint }) => endpoint.ipv4!.address)).size).toBe(COUNT);
    // Of each kind to each kind, and both to the machine and back.
    const samples = [0, 1, portsPerBridge - 1, portsPerBridge, portsPerBridge + 1, COUNT - 1].map(
      (at) => all[at]!,
    );
    expect(await mesh(samples, 'ipv4')).toEqual(full(6, '+'));
    for (const { pin, endpoint } of samples) {
      expect(await canPing(pin, endpoint.ipv4!.gateway)).toBe(true);
      expect(await canPing(undefined, endpoint.ipv4!.address)).toBe(true);
    }
    for (const at of [0, COUNT - 1]) {
      expect(await addressesOf(all[at]!.pin, `big${COUNT - 1}`)).toEqual([
        all[COUNT - 1]!.endpoint.ipv4!.address,
      ]);
      expect(new Set(await addressesOf(all[at]!.pin, 'many')).size).toBe(COUNT);
    }
    const leftMs = performance.now();
    await Promise.all(all.map(({ endpoint }) => net.disconnect(endpoint)));
    for (const { endpoint } of all) await net.removeNamespace(endpoint.containerId);
    process.stderr.write(
      `${COUNT} containers: ${(joinedMs / 1000).toFixed(1)} s to join, ${((performance.now() - leftMs) / 1000).toFixed(1)} s to leave\n`,
    );
  },
  400_000 * patience,
);
