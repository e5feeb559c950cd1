import { expect, test } from 'bun:test';
import { freeRange, parseSubIds, subIdMap } from './sub-ids.ts';

const PATH = '/etc/subuid';

test('lines of a file; comments and empty ones are none', () => {
  expect(parseSubIds('# those of people\n\nann:100000:65536\n 1000:300000:10\n', PATH)).toEqual([
    { user: 'ann', start: 100_000, count: 65_536 },
    { user: '1000', start: 300_000, count: 10 },
  ]);
});

test.each([
  ['ann:100000', 'Cannot parse subuid/gid information: Format not correct for /etc/subuid file'],
  ['ann:100000:65536:0', 'Format not correct for /etc/subuid file'],
  ['ann:x:65536', 'String to int conversion failed during subuid/gid parsing of /etc/subuid: "x"'],
  ['ann:100000:-1', 'String to int conversion failed'],
  ['ann:4294967296:1', 'String to int conversion failed'],
  ['ann:99999999999999999999:1', 'String to int conversion failed'],
])('%s is refused', (text, message) => expect(() => parseSubIds(text, PATH)).toThrow(message));

test('several ranges are one map, in the file’s order; by number goes before by name', () => {
  const ids = parseSubIds('ann:300000:10\nbob:1:1\nann:100000:20\nann:0:0\n', PATH);
  expect(subIdMap(ids, { uid: 1000, name: 'ann' }, PATH)).toEqual([
    { containerId: 0, hostId: 300_000, size: 10 },
    { containerId: 10, hostId: 100_000, size: 20 },
  ]);
  const numbered = [...ids, { user: '1000', start: 500_000, count: 5 }];
  expect(subIdMap(numbered, { uid: 1000, name: 'ann' }, PATH)).toEqual([
    { containerId: 0, hostId: 500_000, size: 5 },
  ]);
  expect(subIdMap(ids, { uid: 7, name: 'eve' }, PATH)).toBeUndefined();
});

test('ranges that the kernel would not take are refused by name', () => {
  const of = (text: string) => subIdMap(parseSubIds(text, PATH), { uid: 1, name: 'ann' }, PATH);
  expect(() => of('ann:100:10\nann:105:10')).toThrow('the range 105:10 of user "ann" overlaps another one');
  expect(() => of('ann:4294967295:2')).toThrow('ends past the last id');
  const many = Array.from({ length: 340 }, (_, at) => `ann:${at * 10}:1`).join('\n');
  expect(() => of(many)).toThrow('over 339 ranges');
});

test('a new range is where nobody has ids', () => {
  expect(freeRange([])).toEqual({ first: 100_000, last: 165_535 });
  const taken = parseSubIds('b:165536:65536\na:100000:65536\nc:296608:10\nz:5:10\n', PATH);
  // The gap of 65,536 between b and c is just enough.
  expect(freeRange(taken)).toEqual({ first: 231_072, last: 296_607 });
  expect(freeRange([...taken, { user: 'd', start: 296_607, count: 1 }])).toEqual({
    first: 296_618,
    last: 362_153,
  });
});
