import { expect, test } from 'bun:test';
import type { NetworkView } from '../../containers/networking/network-backend.ts';
import { networkInfos } from '../testing/fixtures.ts';
import { checkBool, networkFilter, pruneFilter } from './network-filters.ts';

const [bridge, , none] = networkInfos().map((network): NetworkView => ({ ...network, members: [] }));
const views: NetworkView[] = [
  bridge!,
  none!,
  { ...bridge!, id: 'a1', name: 'front', labels: { a: 'b' } },
  { ...none!, id: 'a2', name: 'front-settings', configOnly: true, labels: { a: '' } },
];

// Answers and words are Docker 28.5's, asked for the same.
test.each([
  [{ driver: ['null'] }, ['none', 'front-settings']],
  [{ driver: ['bridge', 'null'] }, ['bridge', 'none', 'front', 'front-settings']],
  [{ type: ['custom'] }, ['front', 'front-settings']],
  [{ type: ['builtin'], driver: ['null'] }, ['none']],
  [{ dangling: ['true'] }, ['front', 'front-settings']],
  [{ dangling: ['0'] }, ['bridge', 'none']],
  [{ label: ['a'] }, ['front', 'front-settings']],
  [{ label: ['a', 'a=b'] }, ['front']],
  [{ label: ['a=c'] }, []],
  [{ name: ['front'], id: ['a2'] }, ['front-settings']],
  [{ scope: ['swarm'] }, []],
] as const)('%j keeps %j', (filters, names) => {
  const isWanted = networkFilter(new Map(Object.entries(filters).map(([key, values]) => [key, [...values]])));
  expect(views.filter(isWanted).map(({ name }) => name)).toEqual([...names]);
});

test.each([
  ['bogus', '1', "invalid filter 'bogus'"],
  ['config-only', 'true', "invalid filter 'config-only'"],
  ['type', 'bogus', "invalid filter: 'type'='bogus'"],
  ['dangling', 'maybe', `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`],
])('a list with %s=%s is refused', (name, value, message) => {
  expect(() => networkFilter(new Map([[name, [value]]]))).toThrow(message);
});

test('a prune knows labels and ages alone', () => {
  expect(() => pruneFilter(new Map([['dangling', ['true']]]))).toThrow("invalid filter 'dangling'");
  expect(() => pruneFilter(new Map([['until', ['bogus']]]))).toThrow(
    'failed to parse value as time or duration: "bogus"',
  );
});

test('verbose is a bool of Go', () => {
  for (const text of ['', '1', 'true', 'F']) expect(() => checkBool('verbose', text)).not.toThrow();
  expect(() => checkBool('verbose', 'maybe')).toThrow(
    'invalid value for verbose: maybe: strconv.ParseBool: parsing "maybe": invalid syntax',
  );
});
