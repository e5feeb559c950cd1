import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { eventually, must, run } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { OutsideHost } from './outside-host.ts';

/**
 * Who reaches what, the same for both families: a row asks, a column is asked; `+` reached, `.` not. Three hosts hang on the machine by a
 * cable each and know a way to every network of it, though it was no router before: `client`, on whose cable the macvlan networks stand,
 * `outside` and `second`. `machine` is its address on the cable to `outside`.
 */
const TARGETS = [
  'machine',
  'client',
  'outside',
  'second',
  'bridge1',
  'bridge2',
  'other',
  'internal1',
  'internal2',
  'macvlan1',
  'macvlan2',
  'private1',
  'private2',
  'apart1',
  'apart2',
  'routed',
  'isolated1',
  'isolated2',
] as const;
type Target = (typeof TARGETS)[number];
type Place = Target | 'joined' | 'host' | 'none';

const EXPECTED: Record<Place, string> = {
  machine: '++++ +++ ++ .. .. .. + ..',
  // To each other the machine leads them no more than before its daemon came.
  client: '++.. ... .. ++ ++ .. + ..',
  outside: '+.+. ... .. .. .. .. + ..',
  second: '+..+ ... .. .. .. .. + ..',
  bridge1: '++++ ++. .. .. .. .. + ..',
  bridge2: '++++ ++. .. .. .. .. + ..',
  other: '++++ ..+ .. .. .. .. + ..',
  internal1: '.... ... ++ .. .. .. . ..',
  internal2: '.... ... ++ .. .. .. . ..',
  // The parent's own machine is out of reach of a macvlan interface, and by it what the machine leads to.
  macvlan1: '.+.. ... .. ++ .. .. . ..',
  macvlan2: '.+.. ... .. ++ .. .. . ..',
  private1: '.+.. ... .. .. +. .. . ..',
  private2: '.+.. ... .. .. .+ .. . ..',
  apart1: '.... ... .. .. .. ++ . ..',
  apart2: '.... ... .. .. .. ++ . ..',
  // With its own address, and reached by pings as by published ports, from other networks, too.
  routed: '++++ ... .. .. .. .. + ..',
  isolated1: '.... ... .. .. .. .. . ++',
  isolated2: '.... ... .. .. .. .. . ++',
  joined: '++++ ++. .. .. .. .. + ..',
  host: '++++ +++ ++ .. .. .. + ..',
  none: '.... ... .. .. .. .. . ..',
};

const NETWORKS: Partial<Record<Place, string>> = {
  bridge1: 'br',
  bridge2: 'br',
  other: 'br-other',
  internal1: 'br-internal',
  internal2: 'br-internal',
  macvlan1: 'mv',
  macvlan2: 'mv',
  private1: 'mv-private',
  private2: 'mv-private',
  apart1: 'mv-apart',
  apart2: 'mv-apart',
  routed: 'br-routed',
  isolated1: 'br-isolated',
  isolated2: 'br-isolated',
  joined: 'container:bridge1',
  host: 'host',
  none: 'none',
};

let registry: SeedRegistry | undefined;
let engine: TestDaemon;
const hosts: OutsideHost[] = [];
const prefixes = new Map<Place, string[]>();
const addresses = new Map<Place, { v4: string; v6: string }>();

const docker = (...args: string[]): Promise<string> => engine.out(args);

async function container(place: Place, network: string): Promise<void> {
  await docker('run', '-d', '--name', place, '--network', network, 'busybox', 'sleep', '600');
  prefixes.set(place, ['nsenter', '-t', await docker('inspect', '-f', '{{.State.Pid}}', place), '-n']);
  const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}';
  const [v4 = '', v6 = ''] = (await docker('inspect', '-f', format, place)).split(' ');
  if (v4 !== '') addresses.set(place, { v4, v6 });
}

async function network(name: string, at: number, ...options: string[]): Promise<void> {
  const subnets = ['--subnet', `10.${at}.0.0/24`, '--ipv6', '--subnet', `fd00:${at}::/64`];
  await docker('network', 'create', ...subnets, ...options, name);
}

const gatewayMode = (mode: string): string[] =>
  [4, 6].flatMap((family) => ['-o', `com.docker.network.bridge.gateway_mode_ipv${family}=${mode}`]);

/** Next to the client; its subnets with the client's addresses in them. */
async function onLan(
  name: string,
  v4: [string, string],
  v6: [string, string],
  ...options: string[]
): Promise<void> {
  const subnets = [v4, v6].flatMap(([subnet, gateway]) => ['--subnet', subnet, '--gateway', gateway]);
  await docker(
    'network',
    'create',
    '-d',
    'macvlan',
    '-o',
    'parent=lan0',
    '--ipv6',
    ...subnets,
    ...options,
    name,
  );
}

async function joinHost(place: Place, cable: string, at: number): Promise<void> {
  const machine = [`10.${at}.9.1/16`, `fd00:${at}::9:1/64`];
  const own = { v4: `10.${at}.9.2`, v6: `fd00:${at}::9:2` };
  const host = await OutsideHost.join({ name: cable, machine, host: [`${own.v4}/16`, `${own.v6}/64`] });
  hosts.push(host);
  prefixes.set(place, host.prefix);
  addresses.set(place, own);
  await must([...host.prefix, 'ip', 'route', 'add', 'default', 'via', `10.${at}.9.1`]);
  await must([...host.prefix, 'ip', '-6', 'route', 'add', 'default', 'via', `fd00:${at}::9:1`]);
}

beforeAll(async () => {
  // Whatever the machine of these tests does.
  for (const name of ['ipv4/ip_forward', 'ipv6/conf/all/forwarding'])
    writeFileSync(`/proc/sys/net/${name}`, '0');
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
  for (const [place, cable, at] of [
    ['client', 'lan0', 81],
    ['outside', 'out0', 82],
    ['second', 'out1', 83],
  ] as const)
    await joinHost(place, cable, at);
  prefixes.set('machine', []);
  addresses.set('machine', { v4: '10.82.9.1', v6: 'fd00:82::9:1' });
  await network('br', 71);
  await network('br-other', 72);
  await network('br-internal', 73, '--internal');
  await network('br-routed', 76, ...gatewayMode('routed'));
  await network('br-isolated', 77, '--internal', ...gatewayMode('isolated'));
  // On the client's own cable, as its neighbours; the client is their gateway, and leads nowhere.
  // A new namespace forwards when its maker's does.
  await must([...hosts[0]!.prefix, 'sh', '-c', 'echo 0 >/proc/sys/net/ipv4/ip_forward']);
  const second = [...hosts[0]!.prefix, 'ip', 'addr', 'add', 'dev', 'eth0'];
  await must([...second, '10.81.25.2/16']);
  await must([...second, 'fd00:81:0:0:1::2/64', 'nodad']);
  await onLan('mv', ['10.81.0.0/20', '10.81.9.2'], ['fd00:81::/80', 'fd00:81::9:2']);
  await onLan(
    'mv-private',
    ['10.81.16.0/20', '10.81.25.2'],
    ['fd00:81:0:0:1::/80', 'fd00:81:0:0:1::2'],
    '-o',
    'macvlan_mode=private',
  );
  await network('mv-apart', 75, '-d', 'macvlan', '--internal', '-o', 'parent=lan0');
  for (const [place, where] of Object.entries(NETWORKS)) await container(place as Place, where);
  await eventually(allUsable, {
    timeoutMs: 20_000,
    what: () => 'IPv6 addresses that are no longer looked into',
  });
}, 120_000);
afterAll(async () => {
  await engine.close();
  for (const host of hosts) await host.close();
  await registry?.close();
}, 60_000);

/** Nobody's IPv6 addresses are still being looked into (RFC 4862): nothing is sent from those. */
async function allUsable(): Promise<boolean> {
  const listed = await Promise.all(
    [...prefixes.values()].map((prefix) => must([...prefix, 'ip', '-6', 'addr', 'show', 'tentative'])),
  );
  return listed.every((text) => text.trim() === '');
}

/** By any of a few packets: the first may wait for a neighbour's answer. */
async function reaches(from: Place, to: Target, family: 'v4' | 'v6'): Promise<boolean> {
  const address = addresses.get(to)?.[family] ?? '';
  expect(address).not.toBe('');
  const ping = ['busybox', family === 'v4' ? 'ping' : 'ping6', '-c', '2', '-W', '1', address];
  return (await run([...(prefixes.get(from) ?? []), ...ping])).code === 0;
}

/** Of a row, in groups as they are written above. */
async function row(from: Place, family: 'v4' | 'v6'): Promise<string> {
  const marks = await Promise.all(TARGETS.map(async (to) => ((await reaches(from, to, family)) ? '+' : '.')));
  const sizes = [4, 3, 2, 2, 2, 2, 1, 2];
  return sizes.map((size) => marks.splice(0, size).join('')).join(' ');
}

describe.each(['v4', 'v6'] as const)('by IP%s', (family) => {
  test.each(Object.keys(EXPECTED) as Place[])(
    '%s reaches whom it may',
    async (place) => {
      expect(await row(place, family)).toBe(EXPECTED[place]);
    },
    30_000,
  );
});

/** Kernels without ipvlan say so; with it, containers reach each other and the client, in each mode. */
test.each([
  ['l2', '.+'],
  ['l3', '..'],
] as const)(
  'ipvlan in mode %s',
  async (mode, expected) => {
    const lan = ['--subnet', '10.81.32.0/20', '--gateway', '10.81.41.2'];
    const options = mode === 'l2' ? lan : lan.slice(0, 2);
    await docker(
      'network',
      'create',
      '-d',
      'ipvlan',
      '-o',
      'parent=lan0',
      '-o',
      `ipvlan_mode=${mode}`,
      ...options,
      'iv',
    );
    try {
      const first = await engine.run([
        'run',
        '-d',
        '--name',
        'iv1',
        '--network',
        'iv',
        'busybox',
        'sleep',
        '600',
      ]);
      if (first.code !== 0) {
        expect(first.stderr).toContain('Cannot make an interface of kind ipvlan: this kernel supports none');
        return;
      }
      await docker('run', '--rm', '--network', 'iv', 'busybox', 'ping', '-c', '1', '-W', '2', 'iv1');
      const [machine, client] = expected;
      for (const [address, mark] of [
        ['10.81.9.1', machine],
        ['10.81.9.2', client],
      ] as const)
        expect((await engine.run(['exec', 'iv1', 'ping', '-c', '1', '-W', '1', address])).code === 0).toBe(
          mark === '+',
        );
    } finally {
      await engine.run(['rm', '-f', 'iv1']);
      await docker('network', 'rm', 'iv');
    }
  },
  30_000,
);

test('macvlan takes the modes and the parents that it can have', async () => {
  const create = (...options: string[]) => engine.run(['network', 'create', '-d', 'macvlan', ...options]);
  const passed = await create('-o', 'parent=lan0', '-o', 'macvlan_mode=passthru', 'passed');
  expect(passed.stderr).toMatch(
    /cannot use mode passthru, macvlan network [0-9a-f]{64} is already using parent interface lan0/,
  );
  expect((await create('-o', 'parent=out1', '-o', 'macvlan_mode=passthru', 'passed')).stderr).toBe('');
  expect((await create('-o', 'parent=out1', 'more')).stderr).toMatch(
    /macvlan network [0-9a-f]{64} is already using parent interface out1 in mode passthru/,
  );
  await docker('run', '--rm', '--network', 'passed', 'busybox', 'ip', 'link', 'show', 'eth0');
  await docker('network', 'rm', 'passed');
});

test('a network that comes back after a crash of the daemon is whole', async () => {
  await engine.restart('SIGKILL');
  expect(await row('macvlan1', 'v4')).toBe(EXPECTED.macvlan1);
  await docker('restart', '-t', '0', 'macvlan1');
  prefixes.set('macvlan1', [
    'nsenter',
    '-t',
    await docker('inspect', '-f', '{{.State.Pid}}', 'macvlan1'),
    '-n',
  ]);
  expect(await row('macvlan1', 'v4')).toBe(EXPECTED.macvlan1);
}, 30_000);
