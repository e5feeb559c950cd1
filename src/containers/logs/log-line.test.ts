import { expect, test } from 'bun:test';
import { journalTime, parseJournalLine } from './log-line.ts';

const bytes = (text: string) => Buffer.from(text);
const parse = (line: Buffer) => parseJournalLine(Buffer.concat([line, Buffer.from('\n')]), 0, line.length);

test('a full line gets its newline back, a part does not', () => {
  const full = parse(bytes('2026-11-23T10:00:00.123456789+00:00 stdout F hello world'));
  expect(full).toMatchObject({ stream: 'stdout', partial: false, timeNano: 1795428000123456789n });
  expect(new TextDecoder().decode(full?.data)).toBe('hello world\n');
  const part = parse(bytes('2026-11-23T10:00:00.1+01:00 stderr P x'));
  expect(part).toMatchObject({ stream: 'stderr', partial: true, timeNano: 1795424400100000000n });
  expect(new TextDecoder().decode(part?.data)).toBe('x');
});

test('empty text and bytes that are no UTF-8 come through', () => {
  expect(parse(bytes('2026-11-23T10:00:00.000000001Z stdout F '))?.data).toEqual(Buffer.from('\n'));
  const raw = Buffer.concat([bytes('2026-11-23T10:00:00Z stdout P '), Uint8Array.of(0xff, 0, 0x20)]);
  expect(parse(raw)?.data).toEqual(Uint8Array.of(0xff, 0, 0x20));
});

test.each([
  '',
  'garbage',
  '2026-11-23T10:00:00Z',
  '2026-11-23T10:00:00Z stdout',
  '2026-11-23T10:00:00Z nostream F x',
  '2026-99-23T10:00:00.0Z stdout F x',
])('a damaged line is passed over: %p', (text) => expect(parse(bytes(text))).toBeUndefined());

test('journalTime() reads the time alone', () => {
  expect(journalTime(bytes('1970-01-01T00:00:01.5+00:00 stdout F x'))).toBe(1_500_000_000n);
});
