import { expect, test } from 'bun:test';
import { type DecodedPacket, decode, encode } from 'dns-packet';
import { answerQuery, udpLimit } from './answer-query.ts';
import { NameTable } from './name-table.ts';

const ASKER = { networks: ['n'], links: {}, forwarding: undefined };

/** As many containers of one alias, each with an address of both families. */
function replicas(count: number): NameTable {
  const table = new NameTable();
  for (let at = 0; at < count; at++)
    table.add({
      id: String(at),
      networkId: 'n',
      networkName: 'net',
      names: [`replica${at}`, 'many'],
      addresses: [`10.0.${at >> 8}.${at & 255}`, `fd00::${(at + 1).toString(16)}`],
    });
  return table;
}

function ask(
  table: NameTable,
  options: { type?: 'A' | 'AAAA'; takesBytes?: number; protocol?: 'udp' | 'tcp' } = {},
): DecodedPacket & { bytes: number } {
  const { type = 'A', takesBytes, protocol = 'udp' } = options;
  const extension = { type: 'OPT', name: '.', udpPayloadSize: takesBytes, flags: 0, options: [] } as const;
  const query = encode({
    type: 'query',
    id: 9,
    flags: 0x100,
    questions: [{ type, name: 'many', class: 'IN' }],
    additionals: takesBytes === undefined ? [] : [extension as never],
  });
  const verdict = answerQuery(query, ASKER, table, protocol === 'udp' ? udpLimit : () => 65_535);
  if (verdict === undefined || !('answer' in verdict)) throw new Error('It was not answered');
  return { ...decode(verdict.answer), bytes: verdict.answer.length };
}

const dataOf = ({ answers = [] }: DecodedPacket) =>
  new Set(answers.flatMap((one) => (one.type === 'A' || one.type === 'AAAA' ? [one.data] : [])));

test.each([
  ['A', 24],
  ['AAAA', 15],
] as const)('what fits into 512 bytes goes whole, one more %s is told to be cut', (type, most) => {
  const whole = ask(replicas(most), { type });
  expect(whole.flag_tc).toBe(false);
  expect(dataOf(whole).size).toBe(most);
  const cut = ask(replicas(most + 1), { type });
  expect(cut).toMatchObject({ flag_tc: true, rcode: 'NOERROR' });
  // Those who don't ask by TCP go on with what they have got.
  expect(dataOf(cut).size).toBe(most);
  expect(cut.bytes).toBeLessThanOrEqual(512);
});

test('who takes more by UDP gets more, up to what we send', () => {
  expect(ask(replicas(100), { takesBytes: 4096 })).toMatchObject({ flag_tc: false });
  const cut = ask(replicas(1500), { takesBytes: 65_535 });
  expect(cut.flag_tc).toBe(true);
  expect(cut.bytes).toBeWithin(4000, 4097);
  // Less than what everybody takes is not meant.
  expect(ask(replicas(24), { takesBytes: 100 }).flag_tc).toBe(true);
  expect(ask(replicas(23), { takesBytes: 100 }).flag_tc).toBe(false);
});

test.each(['A', 'AAAA'] as const)('by TCP 1,500 replicas come whole (%s)', (type) => {
  const whole = ask(replicas(1500), { type, protocol: 'tcp' });
  expect(whole.flag_tc).toBe(false);
  expect(dataOf(whole).size).toBe(1500);
});

test('what is too much even for TCP is cut to what it holds', () => {
  const cut = ask(replicas(4000), { protocol: 'tcp' });
  expect(cut.flag_tc).toBe(true);
  expect(cut.bytes).toBeLessThanOrEqual(65_535);
  expect(dataOf(cut).size).toBeGreaterThan(3000);
});

/** As a container may make them: a question, and records whose names all lead through the longest one. */
function stuffed(count: number): Buffer {
  const name = Array.from({ length: 100 }, () => 'a').join('.');
  const head = encode({ type: 'query', id: 9, flags: 0x100, questions: [{ type: 'A', name, class: 'IN' }] });
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
  head.writeUInt16BE(count, 6);
  return Buffer.concat([head, ...Array.from({ length: count }, () => record)]);
}

function rcodeOf(query: Buffer): string | undefined {
  const verdict = answerQuery(query, ASKER, replicas(1), udpLimit);
  if (verdict === undefined || !('answer' in verdict)) throw new Error('It was not answered');
  return (decode(verdict.answer) as unknown as { rcode: string }).rcode;
}

test('a query of more than 4 KiB is refused; records of a smaller one are not followed', () => {
  expect(stuffed(310).length).toBeWithin(3800, 4097);
  expect(rcodeOf(stuffed(310))).toBe('SERVFAIL');
  expect(rcodeOf(stuffed(340))).toBe('FORMERR');
  expect(rcodeOf(stuffed(5000))).toBe('FORMERR');
  // A pointer that leads nowhere costs nothing, as nobody goes there.
  const astray = stuffed(1);
  astray.writeUInt16BE(0xffff, astray.length - 12);
  expect(rcodeOf(astray)).toBe('SERVFAIL');
});

test('a query that ends before its records do is refused', () => {
  const whole = stuffed(2);
  for (const missing of [1, 11, 12, 23]) expect(rcodeOf(whole.subarray(0, -missing))).toBe('FORMERR');
  const long = stuffed(1);
  long.writeUInt16BE(1, long.length - 2);
  expect(rcodeOf(long)).toBe('FORMERR');
});
