import { afterEach, expect, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { NftFirewall } from './firewall.ts';
import type { FirewallState } from './ruleset.ts';
import { WorkerHostNetwork } from './worker-host-network.ts';

const host = new WorkerHostNetwork();
const firewall = new NftFirewall(host);

const bridge = {
  subnets: ['10.1.0.0/16', 'fd01::/64'],
  masquerade: true,
  interContainer: true,
  gatewayModes: { 4: 'nat-unprotected', 6: 'routed' } as const,
};
const port = { protocol: 'tcp' as const, hostPort: 80, port: 8080, way: 'forwarded' as const };
const state: FirewallState = {
  table: 'sampan_firewall_test',
  bridges: [
    { ...bridge, bridgeName: 'br0', internal: false },
    { ...bridge, bridgeName: 'br1', internal: true },
    { ...bridge, bridgeName: 'br2', internal: false, masquerade: false, interContainer: false },
  ],
  ports: [
    { ...port, hostAddress: undefined, address: '10.1.0.2' },
    { ...port, hostAddress: '192.0.2.1', address: '10.1.0.3' },
    { ...port, hostAddress: '2001:db8::1', address: 'fd01::2' },
    { ...port, hostPort: 81, hostAddress: undefined, address: '10.1.0.4', way: 'shared' },
    { ...port, hostPort: 0, hostAddress: undefined, address: 'fd01::3', way: 'routed' },
  ],
  shared: [
    {
      family: 4,
      protocol: 'tcp',
      hostAddress: undefined,
      hostPort: 81,
      targets: ['10.1.0.4 . 80', '10.1.0.5 . 80'],
    },
    { family: 4, protocol: 'udp', hostAddress: '192.0.2.1', hostPort: 81, targets: ['10.1.0.4 . 80'] },
    { family: 6, protocol: 'tcp', hostAddress: '2001:db8::1', hostPort: 81, targets: [] },
  ],
  transit: {
    families: [
      { family: 4, before: ['br0', 'a b'] },
      { family: 6, before: [] },
    ],
    uplinks: ['br1', 'br2'],
  },
};

const nft = (commands: string) => execFileSync('nft', ['-f', '-'], { input: commands, encoding: 'utf8' });
const list = () => execFileSync('nft', ['list', 'table', 'inet', state.table], { encoding: 'utf8' });

afterEach(async () => {
  await firewall.remove(state);
});

test('repair() leaves a whole table alone, and says so', async () => {
  await firewall.apply(state);
  const generation = await firewall.generation();
  expect(await firewall.repair(state)).toMatchObject({ restored: false });
  expect(await firewall.generation()).toBe(generation);
});

test.each([
  ['the ruleset', 'flush ruleset'],
  ['the table', `delete table inet ${state.table}`],
  ['all rules of the table', `flush table inet ${state.table}`],
  ['the rules of a chain', `flush chain inet ${state.table} forward`],
  ['what guards other interfaces', `delete chain inet ${state.table} transit`],
  ['the elements of a map', `flush map inet ${state.table} anyports4`],
  ['the rule of a shared port', `flush chain inet ${state.table} shared4_tcp_81_any`],
])('repair() restores what somebody took away: %s', async (_what, commands) => {
  await firewall.apply(state);
  const before = list();
  nft(commands);
  expect(await firewall.repair(state)).toMatchObject({ restored: true });
  expect(list()).toBe(before);
});
