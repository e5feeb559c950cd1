import { expect, test } from 'bun:test';
import { cacheSelection } from './cache-selection.ts';

const HOUR = 3600_000_000_000n;
const now = 1_800_000_000_000_000_000n;
const of = (filters: Record<string, string[]>) => cacheSelection(new Map(Object.entries(filters)), now);

test('each filter is a selector, and all of them must fit', () => {
  expect(of({})).toEqual({ filters: [] });
  expect(of({ type: ['exec.cachemount'], description: ['a "b"\\'] })).toEqual({
    filters: ['type=="exec.cachemount",description=="a \\"b\\"\\\\"'],
  });
  expect(of({ id: ['ab'] })).toEqual({ filters: ['id~="ab"'] });
});

test('an age is a duration or a time', () => {
  expect(of({ until: ['24h'] })).toEqual({ filters: [], unusedForNano: 24n * HOUR });
  expect(of({ 'unused-for': ['1h'] })).toEqual({ filters: [], unusedForNano: HOUR });
  expect(of({ until: ['1799996400'] })).toEqual({ filters: [], unusedForNano: HOUR });
});

// Docker 28.5.2 says so.
test.each<[Record<string, string[]>, string]>([
  [{ nope: ['x'] }, "failed to prune build cache: invalid filter 'nope'"],
  [{ mutable: ['true'] }, "failed to prune build cache: invalid filter 'mutable'"],
  [{ 'type!': ['x'] }, "failed to prune build cache: invalid filter 'type!'"],
  [
    { until: ['x'] },
    'failed to prune build cache: "until" filter expects a duration (e.g., \'24h\') or a timestamp: failed to parse value as time or duration: "x"',
  ],
  [{ until: ['1h', '2h'] }, 'failed to prune build cache: filters expect only one value'],
  [{ type: ['a', 'b'] }, 'failed to prune build cache: filters expect only one value'],
  [
    { until: ['1h'], 'unused-for': ['2h'] },
    'failed to prune build cache: conflicting filters: "until" and "unused-for"',
  ],
])('%j is refused', (filters, message) => {
  expect(() => of(filters)).toThrow(message);
});
