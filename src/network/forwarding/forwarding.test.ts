import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../errors/logger.ts';
import { FakeHostNetwork } from '../testing/fake-host-network.ts';
import { Forwarding, type ForwardingOptions } from './forwarding.ts';
import { uplinksOf } from './host-forwarding.ts';
import { transitChain } from './transit-chain.ts';

let directory = '';
let host: FakeHostNetwork;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-forwarding-'));
  host = new FakeHostNetwork();
  host.forwarded.clear();
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const forwarding = (options: Partial<ForwardingOptions> = {}) =>
  new Forwarding({ host, directory, logger: silentLogger, ...options });
const note = () => join(directory, 'forwarding.json');
const both = [
  { family: 4, before: [] },
  { family: 6, before: [] },
];

test('what is off is noted, then guarded, then turned on', async () => {
  const one = forwarding();
  await one.prepare([4]);
  expect(JSON.parse(readFileSync(note(), 'utf8'))).toMatchObject({ families: [{ family: 4 }] });
  expect(one.guard.families).toEqual([{ family: 4, before: [] }]);
  expect([...host.forwarded]).toEqual([]);
  await one.turnOn();
  expect([...host.forwarded]).toEqual([4]);
  await one.prepare([4, 6]);
  await one.turnOn();
  expect([...host.forwarded]).toEqual([4, 6]);
  expect(one.guard.families as unknown[]).toEqual(both);
});

test('where it was on nothing is guarded, and it stays on', async () => {
  host.forwarded.add(4);
  const one = forwarding();
  await one.prepare([4]);
  await one.turnOn();
  expect(one.guard.families).toEqual([]);
  expect(existsSync(note())).toBe(false);
  await one.turnOff();
  expect([...host.forwarded]).toEqual([4]);
});

test('the next daemon guards what the last has turned on, whenever that died', async () => {
  const first = forwarding();
  await first.prepare([4, 6]);
  const second = forwarding();
  await second.prepare([4]);
  expect(second.guard.families as unknown[]).toEqual(both);
  await second.turnOn();
  const third = forwarding();
  await third.prepare([4]);
  expect(third.guard.families as unknown[]).toEqual(both);
  await third.turnOff();
  expect([...host.forwarded]).toEqual([]);
  expect(third.guard.families).toEqual([]);
  expect(existsSync(note())).toBe(false);
});

test("a note of the machine's last run is none", async () => {
  host.forwarded.add(4);
  writeFileSync(note(), JSON.stringify({ bootId: 'another', families: both }));
  const one = forwarding();
  await one.prepare([4]);
  expect(one.guard.families).toEqual([]);
});

test('who wants a router gets one, and keeps it', async () => {
  const earlier = forwarding();
  await earlier.prepare([4]);
  await earlier.turnOn();
  const one = forwarding({ openTransit: true });
  await one.prepare([4, 6]);
  await one.turnOn();
  expect(one.guard.families).toEqual([]);
  await one.turnOff();
  expect([...host.forwarded]).toEqual([4, 6]);
});

test('who wants it left alone has it left alone', async () => {
  const one = forwarding({ enable: false });
  await one.prepare([4]);
  await one.turnOn();
  expect([...host.forwarded]).toEqual([]);
  expect(one.guard.families).toEqual([]);
});

test('bridges with hardware among their ports lead outward, those of guests do not', () => {
  const link = (index: number, name: string, kind: string, masterIndex = 0) => ({
    index,
    name,
    kind,
    masterIndex,
  });
  const links = [
    link(1, 'eth0', '', 2),
    link(2, 'br0', 'bridge'),
    link(3, 'virbr0', 'bridge'),
    link(4, 'vnet0', 'tun', 3),
    link(5, 'docker0', 'bridge'),
    link(6, 'veth1', 'veth', 5),
    link(7, 'bond0.7', 'vlan', 8),
    link(8, 'br7', 'bridge'),
    link(9, 'eth1', ''),
  ];
  expect(uplinksOf(links)).toEqual(['br0', 'br7']);
});

test('a name with a quote in it stays out of the rules', () => {
  const chain = transitChain({ families: [{ family: 4, before: ['a"; drop', 'eth1'] }], uplinks: [] });
  expect(chain).toContain('meta nfproto ipv4 iifname { "eth1" } accept');
  expect(chain).not.toContain('a"');
});
