import { expect, test } from 'bun:test';
import { parseForeignRules } from './foreign-rules.ts';
import { judgePacket, type Packet } from './judge-packet.ts';

const packet: Packet = {
  hook: 'forward',
  family: 4,
  protocol: 'tcp',
  incoming: 'eth0',
  outgoing: 'sampan0',
  destination: '172.17.0.2',
  port: 80,
  translated: true,
};

const meta = (key: string, right: unknown, op = '==') => ({ match: { op, left: { meta: { key } }, right } });
const dport = (right: unknown, protocol = 'tcp') => ({
  match: { op: '==', left: { payload: { protocol, field: 'dport' } }, right },
});
const source = {
  match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: '192.0.2.9' },
};

/** A table `ip filter` with a base chain FORWARD and others. */
function judge(
  rules: unknown[][],
  {
    policy = 'accept',
    others = {},
    at = packet,
  }: { policy?: string; others?: Record<string, unknown[][]>; at?: Packet } = {},
): string {
  const place = { family: 'ip', table: 'filter' };
  const chains = Object.keys(others).map((name) => ({ chain: { ...place, name } }));
  const base = { chain: { ...place, name: 'FORWARD', hook: 'forward', prio: 0, policy } };
  const of = (chain: string, list: unknown[][]) => list.map((expr) => ({ rule: { ...place, chain, expr } }));
  const all = Object.entries(others).flatMap(([name, list]) => of(name, list));
  const nftables = [{ metainfo: {} }, base, ...chains, ...of('FORWARD', rules), ...all];
  const foreign = parseForeignRules(new Map([['ip filter', JSON.stringify({ nftables })]]));
  const { verdict, reason } = judgePacket(foreign, at);
  return reason === '' ? verdict : `${verdict}: ${reason}`;
}

test('what nobody drops is accepted, by policy too', () => {
  expect(judge([])).toBe('accept');
  expect(judge([], { policy: 'drop' })).toBe('drop: chain ip filter FORWARD drops by policy');
  expect(judge([], { policy: 'drop', at: { ...packet, family: 6 } })).toBe('accept');
  expect(judge([], { policy: 'drop', at: { ...packet, hook: 'input' } })).toBe('accept');
});

test('a rule that matches decides, the first one first', () => {
  const dropped = 'drop: dropped by a rule of chain ip filter FORWARD';
  expect(judge([[dport(80), { drop: null }]])).toBe(dropped);
  expect(judge([[dport({ set: [22, { range: [79, 81] }] }), { reject: null }]])).toBe(dropped);
  expect(judge([[dport(81), { drop: null }]])).toBe('accept');
  expect(judge([[dport(80, 'udp'), { drop: null }]])).toBe('accept');
  expect(judge([[meta('iifname', 'eth1'), { drop: null }]])).toBe('accept');
  expect(judge([[meta('iifname', 'eth*'), { drop: null }]])).toBe(dropped);
  expect(judge([[meta('oifname', 'sampan0', '!='), { drop: null }]])).toBe('accept');
  expect(judge([[meta('oifname', 'sampan0'), { counter: {} }, { accept: null }], [{ drop: null }]])).toBe(
    'accept',
  );
});

test('chains are followed, and come back', () => {
  const others = { USER: [[dport(22), { drop: null }], [{ return: null }], [{ drop: null }]] };
  expect(judge([[{ jump: { target: 'USER' } }], [dport(80), { drop: null }]], { others })).toContain(
    'FORWARD',
  );
  expect(judge([[{ goto: { target: 'USER' } }], [{ drop: null }]], { others })).toBe('accept');
  const looping = { A: [[{ jump: { target: 'A' } }]] };
  expect(judge([[{ jump: { target: 'A' } }]], { others: looping })).toStartWith('maybe');
});

test('what is not understood makes a doubt where it would decide', () => {
  expect(judge([[source, { drop: null }]])).toBe('maybe: a rule of chain ip filter FORWARD may drop it');
  expect(judge([[{ xt: null }, { accept: null }]], { policy: 'drop' })).toBe(
    'maybe: chain ip filter FORWARD drops by policy',
  );
  expect(judge([[{ xt: null }, { accept: null }]])).toBe('accept');
  expect(judge([[dport('@ports'), { drop: null }]])).toStartWith('maybe');
  const { verdict } = judgePacket(parseForeignRules(new Map([['ip filter', undefined]])), packet);
  expect(verdict).toBe('maybe');
  expect(judgePacket(parseForeignRules(new Map([['ip filter', '{']])), packet).verdict).toBe('maybe');
});
