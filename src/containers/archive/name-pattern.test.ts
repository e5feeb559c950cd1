import { expect, test } from 'bun:test';
import { NamePattern } from './name-pattern.ts';

test.each([
  ['*.log', ['a.log', '.log.log'], [true, false]],
  ['.*', ['.hidden', 'shown'], [true, false]],
  ['a?c', ['abc', 'ac', 'a.c', 'aéc'], [true, false, true, true]],
  ['[a-c]x', ['ax', 'dx', '-x'], [true, false, false]],
  ['[!a-c]x', ['ax', 'dx'], [false, true]],
  ['[]]x', [']x', 'x'], [true, false]],
  ['\\*', ['*', 'a'], [true, false]],
  ['a**b', ['ab', 'axxb', 'axxc'], [true, true, false]],
  ['[z-a]', ['z', 'a'], [false, false]],
  ['[', ['['], [true]],
  ['**', ['', 'a', '.a'], [true, true, false]],
])('%s', (pattern, names, expected) => {
  expect(names.map((name) => new NamePattern(pattern).matches(name))).toEqual(expected);
});

test('a name without wildcards is itself', () => {
  expect(new NamePattern('a\\*b').literal).toBe('a*b');
  expect(new NamePattern('a*').literal).toBeUndefined();
});

test('no name makes it slow', () => {
  expect(new NamePattern(`${'*a'.repeat(100)}b`).matches('a'.repeat(255))).toBe(false);
});
