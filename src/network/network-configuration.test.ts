import { beforeEach, expect, test } from 'bun:test';
import { kindOf, messageOf } from '../errors/engine-error.ts';
import { silentLogger } from '../errors/logger.ts';
import { BridgeNetworks } from './bridge-networks.ts';
import type { CreateNetworkRequest } from './network-driver.ts';
import { FakeFirewall, FakeHostNetwork, FakeNameServer } from './testing/fake-host-network.ts';

// Statuses and words are Docker 28.5's, asked for the same.
const IN_WORDS = {
  operator:
    'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.',
  own: 'user specified configurations are not supported if the network depends on a configuration network',
  options: 'network driver options are not supported if the network depends on a configuration network',
};

let host: FakeHostNetwork;
let networks: BridgeNetworks;

beforeEach(async () => {
  host = new FakeHostNetwork();
  networks = new BridgeNetworks({
    execRoot: '/absent/exec',
    owner: '/var/lib/sampan',
    logger: silentLogger,
    host,
    firewall: new FakeFirewall(),
    names: new FakeNameServer(),
  });
  await networks.start();
});

function request(change: Partial<CreateNetworkRequest>): CreateNetworkRequest {
  return {
    name: 'n',
    driver: '',
    scope: '',
    internal: false,
    attachable: false,
    ingress: false,
    configOnly: false,
    configFrom: '',
    enableIpv4: true,
    enableIpv6: false,
    ipamDriver: '',
    ipamOptions: undefined,
    subnets: [],
    options: {},
    labels: {},
    ...change,
  };
}

const subnet = (text: string, gateway = '') => ({ subnet: text, ipRange: '', gateway, auxAddresses: {} });

async function refusal(change: Partial<CreateNetworkRequest>): Promise<[string, string]> {
  try {
    await networks.create(request(change));
  } catch (error) {
    return [kindOf(error), messageOf(error)];
  }
  throw new Error('It was not refused');
}

test('a network takes its settings from a configuration network, of which nothing is on the host', async () => {
  const before = host.bridges.length;
  const config = await networks.create(
    request({
      name: 'settings',
      configOnly: true,
      driver: 'nosuch',
      ipamOptions: { a: 'b' },
      subnets: [subnet('10.66.0.0/24', '10.66.0.1')],
      options: { 'com.docker.network.bridge.enable_icc': 'false' },
      labels: { x: 'y' },
    }),
  );
  expect(config).toMatchObject({ driver: 'null', configOnly: true, configFrom: '', ipamDriver: 'default' });
  expect(host.bridges).toHaveLength(before);
  const { options, labels, ipam } = config;
  const made = await networks.create(request({ name: 'made', configFrom: 'settings', internal: true }));
  expect(made).toMatchObject({ driver: 'bridge', configOnly: false, configFrom: 'settings', internal: true });
  expect(made).toMatchObject({ options, labels, ipam, ipamOptions: { a: 'b' } });
  expect(host.bridges.at(-1)).toMatchObject({ isolated: true });
});

test('configurations do not take subnets from anybody; networks of the same one do', async () => {
  for (const name of ['one', 'two'])
    await networks.create(request({ name, configOnly: true, subnets: [subnet('10.66.0.0/24')] }));
  await networks.create(request({ name: 'of-one', configFrom: 'one' }));
  const [kind, message] = await refusal({ name: 'of-two', configFrom: 'two' });
  expect(kind).toBe('forbidden');
  expect(message).toStartWith('invalid pool request: Pool overlaps with other one on this address space');
});

test('no container joins a configuration network', async () => {
  await networks.create(request({ name: 'settings', configOnly: true }));
  await networks.createNamespace('c');
  const failure = await networks
    .connect({ containerId: 'c', network: 'settings' })
    .catch((error: unknown) => error);
  expect([kindOf(failure), messageOf(failure)]).toEqual([
    'forbidden',
    'cannot create endpoint on configuration-only network',
  ]);
});

test('a configuration that a network is made of stays', async () => {
  const { id } = await networks.create(request({ name: 'settings', configOnly: true }));
  const made = await networks.create(request({ name: 'made', configFrom: 'settings' }));
  const failure = await networks.remove(id).catch((error: unknown) => error);
  expect([kindOf(failure), messageOf(failure)]).toEqual([
    'forbidden',
    'error while removing network: configuration network "settings" is in use',
  ]);
  await networks.remove(made.id);
  await networks.remove(id);
});

test.each([
  [{ configOnly: true, internal: true }, 'forbidden', IN_WORDS.operator],
  [{ configOnly: true, attachable: true }, 'forbidden', IN_WORDS.operator],
  [{ configOnly: true, ingress: true }, 'forbidden', IN_WORDS.operator],
  [{ configOnly: true, scope: 'global' }, 'forbidden', IN_WORDS.operator],
  [
    { configOnly: true, configFrom: 'settings' },
    'forbidden',
    'a configuration network cannot depend on another configuration network',
  ],
  [
    { configOnly: true, subnets: [subnet('10.66.0.1/24')] },
    'invalid',
    'invalid network config:\ninvalid subnet 10.66.0.1/24: it should be 10.66.0.0/24',
  ],
  [{ configOnly: true, name: 'settings' }, 'conflict', 'network with name settings already exists'],
  [{ configFrom: 'nosuch' }, 'not-found', 'configuration network "nosuch" does not exist'],
  [{ configFrom: 'bridge' }, 'not-found', 'configuration network "bridge" does not exist'],
  [{ configFrom: 'settings', subnets: [subnet('10.1.1.0/24')] }, 'forbidden', IN_WORDS.own],
  [{ configFrom: 'settings', labels: { x: 'y' } }, 'forbidden', IN_WORDS.own],
  [{ configFrom: 'settings', enableIpv6: true }, 'forbidden', IN_WORDS.own],
  [{ configFrom: 'settings', enableIpv4: false }, 'forbidden', IN_WORDS.own],
  [{ configFrom: 'settings', ipamOptions: { a: 'b' } }, 'forbidden', IN_WORDS.own],
  [{ configFrom: 'settings', ipamDriver: 'null' }, 'forbidden', IN_WORDS.own],
  [{ configFrom: 'settings', labels: { x: 'y' }, options: { a: 'b' } }, 'forbidden', IN_WORDS.own],
  [{ configFrom: 'settings', options: { a: 'b' } }, 'forbidden', IN_WORDS.options],
  [{ configFrom: 'settings', driver: 'nosuch' }, 'not-found', 'plugin "nosuch" not found'],
  [{ configFrom: 'bogus-ipam' }, 'not-found', 'plugin "bogus" not found'],
  [{ configFrom: 'no-family' }, 'invalid', 'IPv4 or IPv6 must be enabled'],
  [{ ipamDriver: 'bogus' }, 'not-found', 'plugin "bogus" not found'],
  [{ ipamDriver: 'null' }, 'invalid', 'ipv4 pool is empty'],
  [{ ipamDriver: 'null', enableIpv4: false, enableIpv6: true }, 'invalid', 'ipv6 pool is empty'],
  [{ ipamDriver: 'null', enableIpv4: false }, 'invalid', 'IPv4 or IPv6 must be enabled'],
  [
    { ipamDriver: 'null', subnets: [subnet('10.1.1.0/24')] },
    'invalid',
    'null ipam driver does not handle specific address pool requests',
  ],
] as const)('%j is refused as Docker does', async (change, kind, message) => {
  await networks.create(request({ name: 'settings', configOnly: true }));
  await networks.create(request({ name: 'bogus-ipam', configOnly: true, ipamDriver: 'bogus' }));
  await networks.create(request({ name: 'no-family', configOnly: true, enableIpv4: false }));
  expect(await refusal(change as Partial<CreateNetworkRequest>)).toEqual([kind, message]);
});

test('macvlan may have no addresses at all', async () => {
  const made = await networks.create(
    request({ driver: 'macvlan', enableIpv4: false, ipamDriver: 'null', options: { parent: 'eth0' } }),
  );
  expect(made).toMatchObject({ ipamDriver: 'null', ipam: [] });
});
