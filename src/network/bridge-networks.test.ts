import { beforeEach, expect, test } from 'bun:test';
import { silentLogger } from '../errors/logger.ts';
import { BridgeNetworks, type BridgeNetworksOptions } from './bridge-networks.ts';
import { FakeFirewall, FakeHostNetwork, FakeNameServer } from './testing/fake-host-network.ts';

let host: FakeHostNetwork;
let firewall: FakeFirewall;

beforeEach(() => {
  host = new FakeHostNetwork();
  firewall = new FakeFirewall();
});

function networks(options: Partial<BridgeNetworksOptions> = {}): BridgeNetworks {
  return new BridgeNetworks({
    execRoot: '/absent/exec',
    owner: '/var/lib/sampan',
    logger: silentLogger,
    host,
    firewall,
    names: new FakeNameServer(),
    ...options,
  });
}

test('the subnet keeps clear of routes and addresses in use', async () => {
  host.used = [
    { address: '172.17.0.1', prefixLength: 16 },
    { address: '172.18.9.0', prefixLength: 24 },
  ];
  await networks().start();
  expect(host.bridges[0]).toMatchObject({
    name: 'sampan0',
    addresses: [{ address: '172.19.0.1', prefixLength: 16 }],
  });
  expect(firewall.applied[0]?.bridges[0]?.subnets).toEqual(['172.19.0.0/16']);
});

test('a bridge of ours keeps its name and address', async () => {
  await networks().start();
  const owner = host.bridges[0]?.owner ?? '';
  host.present = [
    { name: 'sampan0', kind: 'bridge', alias: 'somebody’s' },
    { name: 'smp-earlier', kind: 'bridge', alias: owner },
  ];
  host.bridgeAddresses = [{ address: '192.168.16.1', prefixLength: 20 }];
  const later = networks();
  await later.start();
  expect(host.bridges[1]).toMatchObject({
    name: 'smp-earlier',
    addresses: [{ address: '192.168.16.1', prefixLength: 20 }],
  });
});

test('ids are 64 hex digits, the same at each start, others for another owner', async () => {
  const ids = async (owner: string) => (await networks({ owner }).list()).map(({ id }) => id);
  const first = await ids('/a');
  expect(first.every((id) => /^[0-9a-f]{64}$/.test(id))).toBe(true);
  expect(new Set(first).size).toBe(3);
  expect(await ids('/a')).toEqual(first);
  expect(await ids('/b')).not.toEqual(first);
});

test('a network is found by name, id and prefix of the id', async () => {
  const net = networks();
  const { id } = (await net.get('host'))!;
  expect((await net.get(id))?.name).toBe('host');
  expect((await net.get(id.slice(0, 12)))?.name).toBe('host');
  expect(await net.get('')).toBeUndefined();
  expect(await net.get('hos')).toBeUndefined();
});

test('what Docker shows of its bridge is there', async () => {
  const net = networks({ bip: '10.7.0.1/24' });
  await net.start();
  expect(await net.get('bridge')).toMatchObject({
    name: 'bridge',
    driver: 'bridge',
    scope: 'local',
    ipam: [expect.objectContaining({ subnet: '10.7.0.0/24', gateway: '10.7.0.1' })],
    options: {
      'com.docker.network.bridge.default_bridge': 'true',
      'com.docker.network.bridge.name': 'sampan0',
      'com.docker.network.driver.mtu': '1500',
    },
  });
  expect((await net.get('none'))?.driver).toBe('null');
});

test('many that join at once get an address each', async () => {
  const net = networks();
  await net.start();
  const endpoints = await Promise.all(
    Array.from({ length: 20 }, (_, index) => net.connect({ containerId: `c${index}`, network: 'bridge' })),
  );
  expect(new Set(endpoints.map(({ ipv4 }) => ipv4?.address)).size).toBe(20);
  expect(new Set(endpoints.map(({ hostInterfaceName }) => hostInterfaceName)).size).toBe(20);
  expect(endpoints.every(({ hostInterfaceName }) => hostInterfaceName.length <= 15)).toBe(true);
});

test('an address is free at once, a namespace once its interface is gone', async () => {
  const net = networks({ bip: '10.7.0.1/30' });
  await net.start();
  const only = await net.connect({ containerId: 'a', network: 'bridge' });
  const { promise, resolve } = Promise.withResolvers<void>();
  host.removal = () => promise;
  await net.disconnect(only);
  const other = await net.connect({ containerId: 'b', network: 'bridge' });
  expect(other.ipv4?.address).toBe('10.7.0.2');
  await net.disconnect(other);
  const same = net.connect({ containerId: 'a', network: 'bridge' });
  expect(await Promise.race([same, Bun.sleep(20)])).toBeUndefined();
  await net.removeNamespace('b');
  expect((await net.connect({ containerId: 'b', network: 'bridge' })).ipv4?.address).toBe('10.7.0.2');
  resolve();
  expect((await same.catch((error: Error) => error.message)) as string).toContain(
    'no available IPv4 addresses',
  );
});

test('a second disconnect does not free the address of its next owner', async () => {
  const net = networks({ bip: '10.7.0.1/29' });
  await net.start();
  const old = await net.connect({ containerId: 'a', network: 'bridge' });
  await net.disconnect(old);
  await Bun.sleep(1);
  const next = await net.connect({ containerId: 'b', network: 'bridge' });
  expect(next.ipv4?.address).toBe(old.ipv4?.address ?? 'none');
  await net.disconnect(old);
  await Bun.sleep(1);
  expect((await net.connect({ containerId: 'c', network: 'bridge' })).ipv4?.address).not.toBe(
    next.ipv4?.address ?? 'none',
  );
});

test('an interface that can’t be removed keeps its address taken', async () => {
  const net = networks({ bip: '10.7.0.1/29' });
  await net.start();
  const stuck = await net.connect({ containerId: 'a', network: 'bridge' });
  host.removal = () => Promise.reject(new Error('busy'));
  await net.disconnect(stuck);
  await Bun.sleep(1);
  expect((await net.connect({ containerId: 'b', network: 'bridge' })).ipv4?.address).toBe('10.7.0.3');
});

test('recovered endpoints keep their addresses, before start() or after it', async () => {
  const first = networks({ bip: '10.7.0.1/29' });
  await first.start();
  const endpoint = await first.connect({ containerId: 'a', network: 'bridge' });
  const other = networks({ bip: '10.7.0.1/29', host: new FakeHostNetwork() });
  const [early, late] = [networks({ bip: '10.7.0.1/29' }), other];
  await early.recover([endpoint], new Set());
  await early.start();
  await late.start();
  await late.recover([endpoint], new Set());
  for (const net of [early, late]) {
    expect((await net.connect({ containerId: 'b', network: 'bridge' })).ipv4?.address).toBe('10.7.0.3');
  }
});

test('recover() removes only unclaimed interfaces of ours', async () => {
  const net = networks();
  await net.start();
  const kept = await net.connect({ containerId: 'a', network: 'bridge' });
  const orphan = `${kept.hostInterfaceName.slice(0, 7)}deadbeef`;
  host.present = [kept.hostInterfaceName, orphan, 'vethdocker0', 'eth0'].map((name) => ({
    name,
    kind: 'veth',
    alias: '',
  }));
  await net.recover([kept], new Set());
  expect(host.removed).toEqual([orphan]);
});

test('close() leaves bridge and rules to containers that still run', async () => {
  const busy = networks();
  await busy.start();
  await busy.connect({ containerId: 'a', network: 'bridge' });
  await busy.close();
  expect([host.removed, firewall.removed]).toEqual([[], []]);
  const idle = networks();
  await idle.start();
  await idle.close();
  expect(host.removed).toEqual(['sampan0']);
  expect(firewall.removed).toHaveLength(1);
});

test.each(['172.20.0.0/16', '172.20.0.1', '172.20.0.1/31', 'x'])('the bip %p is refused', (bip) => {
  expect(() => networks({ bip })).toThrow();
});

test.each(['', 'a b', 'sixteen-letters-', 'x/y', 'x"; drop'])(
  'the bridge name %p is refused',
  (bridgeName) => {
    expect(() => networks({ bridgeName })).toThrow('Invalid bridge name');
  },
);

test.each(['../x', '', 'a/b', '.hidden'])('the container id %p makes no path', (id) => {
  expect(() => networks().namespacePath(id)).toThrow('Invalid container id');
});
