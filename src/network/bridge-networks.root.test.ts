import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../errors/logger.ts';
import { inOwnNamespaces } from '../sys/testing/own-namespaces.ts';
import { BridgeNetworks, type BridgeNetworksOptions } from './bridge-networks.ts';

const OUTSIDE = '198.51.100.2';
let base = '';
let outside = '';
let execRoot = '';
const open: BridgeNetworks[] = [];

function sh(command: string): string {
  const done = Bun.spawnSync(['sh', '-ec', command]);
  if (done.exitCode !== 0) throw new Error(`${command}: ${done.stderr.toString()}`);
  return done.stdout.toString();
}

const inside = (pin: string, command: string): string => sh(`nsenter --net=${pin} ${command}`);

function canPing(pin: string | undefined, address: string): boolean {
  const command = ['busybox', 'ping', '-c', '1', '-W', '1', address];
  const prefix = pin === undefined ? [] : ['nsenter', `--net=${pin}`];
  return Bun.spawnSync([...prefix, ...command]).exitCode === 0;
}

/** By one of a few tries: a bridge passes on nothing until the kernel has seen that its first port is up, which takes up to a second. */
function reaches(pin: string | undefined, address: string): boolean {
  return [1, 2, 3].some(() => canPing(pin, address));
}

function networks(options: Partial<BridgeNetworksOptions> = {}): BridgeNetworks {
  const made = new BridgeNetworks({ execRoot, owner: base, logger: silentLogger, ...options });
  open.push(made);
  return made;
}

async function container(from: BridgeNetworks, id: string) {
  const pin = await from.createNamespace(id);
  return { pin, endpoint: await from.connect({ containerId: id, network: 'bridge' }) };
}

async function failureOf(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('It did not fail');
}

const interfaces = (): string[] =>
  sh('ip -o link')
    .split('\n')
    .flatMap((line) => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? []);

// What follows removes interfaces and rules: never in the namespace of the machine. scripts/test.mjs makes us the first process of our own.
if (!inOwnNamespaces()) throw new Error('Run this file by scripts/test.mjs: it needs namespaces of its own');

beforeAll(() => {
  sh('ip link set lo up');
  base = mkdtempSync(join(tmpdir(), 'sampan-net-'));
  outside = join(base, 'outside');
  writeFileSync(outside, '');
  sh(`mount --bind ${base} ${base} && mount --make-private ${base}`);
  sh(`unshare --net=${outside} true`);
  sh(`ip link add out0 type veth peer name eth9 netns ${outside}`);
  sh('ip addr add 198.51.100.1/24 dev out0 && ip link set out0 up');
  inside(outside, 'ip link set lo up');
  inside(outside, `ip addr add ${OUTSIDE}/24 dev eth9`);
  inside(outside, 'ip link set eth9 up');
  // No route back to the containers is needed: their packets come from the host's address.
});

beforeEach(() => {
  execRoot = mkdtempSync(join(base, 'exec-'));
});

afterEach(async () => {
  for (const one of open.splice(0)) {
    await one.recover([], new Set()).catch(() => undefined);
    await one.close().catch(() => undefined);
  }
  for (const name of interfaces())
    if (/^(sampan0|smp-|ve[0-9a-f])/.test(name)) sh(`ip link del ${name} || true`);
  sh('nft flush ruleset');
});

afterAll(() => {
  sh(`umount ${outside}; umount -l ${base}`);
  rmSync(base, { recursive: true });
});

test('a container reaches outside, its neighbour and the host, and the host reaches it', async () => {
  const net = networks();
  await net.start();
  const [one, two] = [await container(net, 'one'), await container(net, 'two')];
  expect(one.endpoint.ipv4).toEqual({ address: '172.17.0.2', prefixLength: 16, gateway: '172.17.0.1' });
  expect(reaches(one.pin, OUTSIDE)).toBe(true);
  expect(reaches(one.pin, two.endpoint.ipv4!.address)).toBe(true);
  expect(reaches(one.pin, '172.17.0.1')).toBe(true);
  expect(reaches(one.pin, '127.0.0.1')).toBe(true);
  expect(reaches(undefined, '172.17.0.3')).toBe(true);
});

test('from outside nobody gets in', async () => {
  const net = networks();
  await net.start();
  await container(net, 'one');
  inside(outside, 'ip route add 172.17.0.0/16 via 198.51.100.1');
  expect(canPing(outside, '172.17.0.2')).toBe(false);
  inside(outside, 'ip route del 172.17.0.0/16');
});

test('inside it looks as Docker makes it', async () => {
  const net = networks();
  await net.start();
  const { pin, endpoint } = await container(net, 'one');
  const link = inside(pin, 'ip -d link show eth0');
  expect(link).toContain('mtu 1500');
  expect(link).toContain('link/ether 02:42:ac:11:00:02');
  expect(inside(pin, 'ip -4 addr show eth0')).toContain(
    'inet 172.17.0.2/16 brd 172.17.255.255 scope global eth0',
  );
  expect(inside(pin, 'ip route').trim().split(/\s*\n/)).toEqual([
    'default via 172.17.0.1 dev eth0',
    '172.17.0.0/16 dev eth0 proto kernel scope link src 172.17.0.2',
  ]);
  const ipv6 = ['all', 'default', 'lo', 'eth0'].map((name) => `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`);
  expect(inside(pin, `cat ${ipv6.join(' ')}`)).toBe('0\n0\n0\n1\n');
  expect(endpoint).toMatchObject({
    macAddress: '02:42:ac:11:00:02',
    interfaceName: 'eth0',
    networkName: 'bridge',
  });
});

test('after disconnect, removal and close nothing is left', async () => {
  const before = { links: interfaces(), rules: sh('nft list ruleset') };
  const net = networks();
  await net.start();
  const { pin, endpoint } = await container(net, 'one');
  await net.disconnect(endpoint);
  const again = await net.connect({ containerId: 'one', network: 'bridge' });
  expect(again.ipv4?.address).toBe('172.17.0.2');
  expect(interfaces()).not.toContain(endpoint.hostInterfaceName);
  await net.disconnect(endpoint);
  await net.disconnect(again);
  await net.removeNamespace('one');
  await net.removeNamespace('one');
  expect(existsSync(pin)).toBe(false);
  await net.close();
  expect({ links: interfaces(), rules: sh('nft list ruleset') }).toEqual(before);
});

test('two daemons run side by side, each with its own', async () => {
  const [first, second] = [
    networks(),
    networks({ owner: 'other', execRoot: mkdtempSync(join(base, 'exec-')) }),
  ];
  await first.start();
  await second.start();
  const [one, two] = [await container(first, 'one'), await container(second, 'one')];
  expect(interfaces().filter((name) => /^(sampan0|smp-)/.test(name))).toHaveLength(2);
  expect(two.endpoint.ipv4?.address).toBe('172.18.0.2');
  expect([reaches(one.pin, OUTSIDE), reaches(two.pin, OUTSIDE)]).toEqual([true, true]);
  await first.disconnect(one.endpoint);
  await first.removeNamespace('one');
  await first.close();
  expect(reaches(two.pin, OUTSIDE)).toBe(true);
});

test('after a crash the next start finds its own and removes what nobody claims', async () => {
  const crashed = networks();
  await crashed.start();
  const [kept, orphan] = [await container(crashed, 'kept'), await container(crashed, 'orphan')];
  const next = networks();
  await next.start();
  await next.recover([kept.endpoint], new Set(['kept']));
  expect(interfaces()).toContain(kept.endpoint.hostInterfaceName);
  expect(interfaces()).not.toContain(orphan.endpoint.hostInterfaceName);
  expect(readdirSync(join(execRoot, 'netns'))).toEqual(['kept']);
  expect(reaches(kept.pin, OUTSIDE)).toBe(true);
  expect((await container(next, 'new')).endpoint.ipv4?.address).toBe('172.17.0.3');
  await next.close();
  expect(interfaces()).toContain('sampan0');
});

test('start() repairs what was taken away', async () => {
  const net = networks();
  await net.start();
  const { pin } = await container(net, 'one');
  sh('nft flush ruleset');
  sh('ip addr flush dev sampan0 && ip link set sampan0 down');
  expect(canPing(pin, OUTSIDE)).toBe(false);
  await net.start();
  // The container may still be waiting for the answer to its last ARP request.
  expect(reaches(pin, OUTSIDE)).toBe(true);
});

test('a bridge that somebody removed is made anew, with those that were on it', async () => {
  const net = networks();
  await net.start();
  const one = await container(net, 'one');
  sh('ip link del sampan0 && nft flush ruleset');
  const two = await container(net, 'two');
  expect(two.endpoint.ipv4?.address).toBe('172.17.0.3');
  for (const { pin } of [one, two]) expect(reaches(pin, OUTSIDE)).toBe(true);
  sh('ip link del sampan0');
  const next = networks();
  await next.start();
  await next.recover([one.endpoint, two.endpoint], new Set(['one', 'two']));
  for (const { pin } of [one, two]) expect(reaches(pin, OUTSIDE)).toBe(true);
  await net.disconnect(one.endpoint);
  await net.disconnect(two.endpoint);
  sh('ip link del sampan0 && ip link add sampan0 type bridge && ip addr add 10.0.0.1/24 dev sampan0');
  expect(await failureOf(net.connect({ containerId: 'two', network: 'bridge' }))).toMatchObject({
    kind: 'conflict',
  });
  sh('ip link del sampan0');
});

test('a drop of Docker’s is opened in its user hook, once, and closed again', async () => {
  sh(`nft -f - <<'END'
table ip filter {
  chain DOCKER-USER { }
  chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; }
}
END`);
  const before = sh('nft list ruleset');
  const net = networks();
  await net.start();
  await net.start();
  expect(sh('nft list chain ip filter DOCKER-USER').match(/accept comment/g)).toHaveLength(2);
  const { pin, endpoint } = await container(net, 'one');
  expect(reaches(pin, OUTSIDE)).toBe(true);
  expect(net.warnings()).toEqual([]);
  await net.disconnect(endpoint);
  await net.removeNamespace('one');
  await net.close();
  expect(sh('nft list ruleset')).toBe(before);
});

test('rules that somebody flushes, and a Docker that starts later, are noticed', async () => {
  const net = networks({ firewallCheckMs: 50 });
  await net.start();
  const { pin } = await container(net, 'one');
  sh(`nft -f - <<'END'
flush ruleset
table ip filter {
  chain DOCKER-USER { ip saddr 10.0.0.0/8 drop; counter return; }
  chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; }
}
END`);
  await Bun.sleep(400);
  expect(reaches(pin, OUTSIDE)).toBe(true);
  const rules = sh('nft list chain ip filter DOCKER-USER').match(/ (drop|accept comment|return)/g);
  expect(rules).toEqual([' drop', ' accept comment', ' accept comment', ' return']);
});

test('a drop without a hook is warned of', async () => {
  sh(
    `nft 'add table inet site; add chain inet site block { type filter hook forward priority 0; policy drop; }'`,
  );
  const net = networks();
  await net.start();
  expect(net.warnings()[0]).toContain('WARNING: nftables chain "inet site block" drops forwarded packets');
});

test('a name that another interface has is refused', async () => {
  sh('ip link add sampan0 type veth peer name other0');
  expect(await failureOf(networks({ bridgeName: 'sampan0' }).start())).toMatchObject({
    kind: 'conflict',
    message: 'Cannot use the name "sampan0" for the bridge: another interface has it',
  });
  sh('ip link del sampan0 && ip link add sampan0 type bridge && ip addr add 10.0.0.1/24 dev sampan0');
  expect(await failureOf(networks({ bridgeName: 'sampan0' }).start())).toMatchObject({ kind: 'conflict' });
  const other = networks();
  await other.start();
  expect(interfaces().some((name) => name.startsWith('smp-'))).toBe(true);
});

test('a subnet can be chosen, and ends', async () => {
  const net = networks({ bip: '10.99.0.5/30' });
  await net.start();
  const { endpoint } = await container(net, 'one');
  expect(endpoint.ipv4).toEqual({ address: '10.99.0.6', prefixLength: 30, gateway: '10.99.0.5' });
  await net.createNamespace('two');
  const { id } = (await net.get('bridge'))!;
  expect(await failureOf(net.connect({ containerId: 'two', network: 'bridge' }))).toMatchObject({
    kind: 'unavailable',
    message: `no available IPv4 addresses on this network's address pools: bridge (${id})`,
  });
  await net.disconnect(endpoint);
  expect((await net.connect({ containerId: 'two', network: 'bridge' })).ipv4?.address).toBe('10.99.0.6');
});

test('a failed connect leaves neither interface nor address taken', async () => {
  const net = networks();
  await net.start();
  const before = interfaces();
  expect(await failureOf(net.connect({ containerId: 'absent', network: 'bridge' }))).toMatchObject({
    kind: 'internal',
  });
  const pin = await net.createNamespace('one');
  inside(pin, 'ip link add eth0 type veth peer name eth1');
  // Words of Docker 28.5.
  expect((await failureOf(net.connect({ containerId: 'one', network: 'bridge' }))).message).toMatch(
    /^failed to add interface (ve\w+) to sandbox: error renaming interface "\1" to "eth0": file exists$/,
  );
  expect(interfaces()).toEqual(before);
  inside(pin, 'ip link del eth0');
  expect((await net.connect({ containerId: 'one', network: 'bridge' })).ipv4?.address).toBe('172.17.0.2');
});

test('host and none give no interface', async () => {
  const net = networks();
  await net.start();
  for (const name of ['host', 'none']) {
    const endpoint = await net.connect({ containerId: 'one', network: name });
    expect(endpoint).toMatchObject({ networkName: name, interfaceName: '', ipv4: undefined });
    await net.disconnect(endpoint);
  }
  expect(await failureOf(net.connect({ containerId: 'one', network: 'absent' }))).toMatchObject({
    kind: 'not-found',
    message: 'network absent not found',
  });
});

test('no thread of ours stays behind in a container’s namespace', async () => {
  const net = networks();
  await net.start();
  const namespaceFds = (): number => readdirSync('/proc/self/fd').filter(isNamespaceFd).length;
  await net.createNamespace('warm-up');
  const before = namespaceFds();
  for (let round = 0; round < 30; round++) {
    const { endpoint } = await container(net, 'one');
    await net.disconnect(endpoint);
    await net.removeNamespace('one');
  }
  const home = statSync('/proc/self/ns/net').ino;
  const tasks = readdirSync('/proc/self/task').map((task) => readlinkSync(`/proc/self/task/${task}/ns/net`));
  expect(new Set(tasks)).toEqual(new Set([`net:[${home}]`]));
  // Those made ahead of need are among them, eight at most, in whichever number a busy machine has come to.
  expect(namespaceFds() - before).toBeLessThanOrEqual(8);
});

function isNamespaceFd(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith('net:');
  } catch {
    return false;
  }
}

test('timings, for the record', async () => {
  const net = networks();
  await net.start();
  const samples: Record<string, number[]> = { namespace: [], connect: [], disconnect: [], remove: [] };
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const startedMs = performance.now();
    const result = await work();
    samples[name]!.push(performance.now() - startedMs);
    return result;
  };
  for (let round = 0; round < 20; round++) {
    await timed('namespace', () => net.createNamespace('one'));
    const endpoint = await timed('connect', () => net.connect({ containerId: 'one', network: 'bridge' }));
    await timed('disconnect', () => net.disconnect(endpoint));
    await timed('remove', () => net.removeNamespace('one'));
  }
  const medians = Object.entries(samples).map(
    ([name, all]) => `${name} ${all.sort((a, b) => a - b)[10]!.toFixed(2)} ms`,
  );
  process.stderr.write(`medians of 20: ${medians.join(', ')}\n`);
  expect(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8')).toBe('1\n');
});
