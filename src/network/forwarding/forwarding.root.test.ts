import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../errors/logger.ts';
import { inOwnNamespaces } from '../../sys/testing/own-namespaces.ts';
import { BridgeNetworks, type BridgeNetworksOptions } from '../bridge-networks.ts';

/** Two hosts hang on the machine, `left` and `right`, each with a way through it, and a guest on somebody's bridge. */
const HOSTS = { left: 1, right: 2, guest: 3 } as const;
type Host = keyof typeof HOSTS;

let base = '';
let execRoot = '';
const open: BridgeNetworks[] = [];

if (!inOwnNamespaces()) throw new Error('Run this file by scripts/test.mjs: it needs namespaces of its own');

function sh(command: string): string {
  const done = Bun.spawnSync(['sh', '-ec', command]);
  if (done.exitCode !== 0) throw new Error(`${command}: ${done.stderr.toString()}`);
  return done.stdout.toString();
}

const inside = (host: Host, command: string) => sh(`nsenter --net=${join(base, host)} ${command}`);

function reaches(from: string, address: string): boolean {
  const ping = ['busybox', address.includes(':') ? 'ping6' : 'ping', '-c', '1', '-W', '1', address];
  return Bun.spawnSync(['nsenter', `--net=${from}`, ...ping]).exitCode === 0;
}

/** `left>right left>guest …`, by IPv4 or by IPv6. */
function passing(family: 4 | 6 = 4): string[] {
  const names = Object.keys(HOSTS) as Host[];
  return names.flatMap((from) =>
    names
      .filter((to) => to !== from)
      .filter((to) =>
        reaches(join(base, from), family === 4 ? `10.10${HOSTS[to]}.0.2` : `fd00:${HOSTS[to]}::2`),
      )
      .map((to) => `${from}>${to}`),
  );
}

const switches = (): string[] =>
  ['ipv4/ip_forward', 'ipv6/conf/all/forwarding'].map((name) =>
    readFileSync(`/proc/sys/net/${name}`, 'utf8').trim(),
  );

function turn(v4: string, v6: string): void {
  writeFileSync('/proc/sys/net/ipv4/ip_forward', v4);
  writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', v6);
}

async function start(options: Partial<BridgeNetworksOptions> = {}): Promise<BridgeNetworks> {
  const made = new BridgeNetworks({ execRoot, owner: base, logger: silentLogger, ...options });
  open.push(made);
  await made.start();
  return made;
}

function cable(name: Host, port: string): void {
  const at = HOSTS[name];
  const pin = join(base, name);
  writeFileSync(pin, '');
  sh(`unshare --net=${pin} true`);
  sh(`ip link add ${port} type veth peer name eth0 netns ${pin}`);
  inside(name, 'ip link set lo up');
  inside(name, `ip addr add 10.10${at}.0.2/24 dev eth0`);
  inside(name, `ip addr add fd00:${at}::2/64 dev eth0 nodad`);
  inside(name, 'ip link set eth0 up');
  inside(name, `ip route add default via 10.10${at}.0.1`);
  inside(name, `ip -6 route add default via fd00:${at}::1`);
}

function addresses(name: Host, device: string): void {
  const at = HOSTS[name];
  sh(`ip addr add 10.10${at}.0.1/24 dev ${device} && ip addr add fd00:${at}::1/64 dev ${device} nodad`);
  sh(`ip link set ${device} up`);
}

beforeAll(() => {
  sh('ip link set lo up');
  base = mkdtempSync(join(tmpdir(), 'sampan-transit-'));
  sh(`mount --bind ${base} ${base} && mount --make-private ${base}`);
  for (const name of ['left', 'right'] as const) {
    cable(name, `${name}0`);
    addresses(name, `${name}0`);
  }
  cable('guest', 'vnet0');
  sh('ip link add virbr0 type bridge && ip link set vnet0 up master virbr0');
  addresses('guest', 'virbr0');
});

beforeEach(() => {
  execRoot = mkdtempSync(join(base, 'exec-'));
  turn('0', '0');
});

afterEach(async () => {
  for (const one of open.splice(0)) {
    await one.recover([], new Set()).catch(() => undefined);
    await one.close().catch(() => undefined);
  }
  sh('nft flush ruleset');
});

afterAll(() => {
  for (const name of ['left0', 'right0', 'virbr0', 'vnet0']) sh(`ip link del ${name} || true`);
  for (const name of Object.keys(HOSTS)) sh(`umount ${join(base, name)}`);
  sh(`umount -l ${base}`);
  rmSync(base, { recursive: true });
});

const GUESTS = ['left>guest', 'right>guest', 'guest>left', 'guest>right'];
const ALL = ['left>right', 'left>guest', 'right>left', 'right>guest', 'guest>left', 'guest>right'];

test('a machine that was no router lets nobody else pass, whatever becomes of rules and daemon', async () => {
  expect(passing()).toEqual([]);
  const net = await start();
  expect(switches()).toEqual(['1', '0']);
  expect(passing()).toEqual(GUESTS);
  const pin = await net.createNamespace('one');
  await net.connect({ containerId: 'one', network: 'bridge' });
  // A new bridge passes on nothing until the kernel has seen that its first port is up.
  expect([1, 2, 3].some(() => reaches(pin, '10.101.0.2'))).toBe(true);
  // Of what the daemon before has done nothing is left but its note.
  sh('nft flush ruleset');
  expect(passing()).toEqual(ALL);
  await start();
  expect(passing()).toEqual(GUESTS);
});

test('IPv6 is turned on and guarded with the first network that has it', async () => {
  const net = await start();
  await net.create({
    name: 'six',
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
    options: {},
    labels: {},
  });
  expect(switches()).toEqual(['1', '1']);
  expect(passing(6)).toEqual(GUESTS);
});

test('where it was on, everybody passes', async () => {
  turn('1', '1');
  await start();
  expect(passing()).toEqual(ALL);
  expect(passing(6)).toEqual(ALL);
});

test('an interface that had it for itself keeps it', async () => {
  writeFileSync('/proc/sys/net/ipv4/conf/left0/forwarding', '1');
  writeFileSync('/proc/sys/net/ipv4/conf/right0/forwarding', '1');
  expect(passing()).toEqual(['left>right', 'right>left']);
  await start();
  expect(passing()).toEqual(ALL);
});

test('the administrator may have a router, or nothing touched', async () => {
  await start({ openTransit: true });
  expect(passing()).toEqual(ALL);
  turn('0', '0');
  await start({ forwarding: false, owner: `${base}/other` });
  expect(switches()).toEqual(['0', '0']);
});

test('the last to leave turns off what it has turned on; where others have bridges it stays, guarded', async () => {
  const guarded = await start();
  await guarded.close();
  expect(switches()).toEqual(['1', '0']);
  expect(passing()).toEqual(GUESTS);
  expect(sh('nft list ruleset')).toContain('chain transit');
  sh('ip link set vnet0 nomaster && ip link del virbr0');
  const alone = await start();
  expect(existsSync(join(execRoot, 'forwarding.json'))).toBe(true);
  await alone.close();
  expect(switches()).toEqual(['0', '0']);
  expect(sh('nft list ruleset')).toBe('');
  expect(existsSync(join(execRoot, 'forwarding.json'))).toBe(false);
  sh('ip link add virbr0 type bridge && ip link set vnet0 master virbr0');
  addresses('guest', 'virbr0');
});

test('a bridge with more than guests on it leads outward', async () => {
  // What hardware is to a machine, a VLAN is here.
  const made = Bun.spawnSync([
    'ip',
    'link',
    'add',
    'link',
    'right0',
    'name',
    'right0.7',
    'type',
    'vlan',
    'id',
    '7',
  ]);
  if (made.exitCode !== 0) return;
  sh('ip link set right0.7 master virbr0');
  try {
    await start();
    expect(passing()).toEqual([]);
  } finally {
    sh('ip link del right0.7');
  }
});
