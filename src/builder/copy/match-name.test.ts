import { describe, expect, test } from 'bun:test';
import { hasWildcards, matchName } from './match-name.ts';

describe('matchName() is as Go’s filepath.Match', () => {
  for (const [pattern, name, expected] of [
    ['abc', 'abc', true],
    ['*', 'abc', true],
    ['*c', 'abc', true],
    ['a*', 'a', true],
    ['a*b?c*x', 'abxbbxdbxebxczzx', true],
    ['a*b?c*x', 'abxbbxdbxebxczzy', false],
    ['ab[c]', 'abc', true],
    ['ab[b-d]', 'abc', true],
    ['ab[e-g]', 'abc', false],
    ['ab[^c]', 'abc', false],
    ['ab[^e-g]', 'abc', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'ab', false],
    ['a?b', 'aüb', true],
    ['a[^a]b', 'aüb', true],
    ['[\\]a]', ']', true],
    ['[\\-x]', '-', true],
    ['[x\\-]', 'z', false],
    ['[]a]', ']', false],
    ['[-]', '-', false],
    ['[x-]', 'x', false],
    ['[a-b-c]', 'a', false],
    ['[', 'a', false],
    ['[^bc', 'a', false],
    ['a[', 'ab', false],
    ['*x', 'xxx', true],
    ['\\', '\\', false],
  ] as const)
    test(`${pattern} ${name}`, () => expect(matchName(pattern, name)).toBe(expected));

  test('stars cost no more than their product', () => {
    expect(matchName(`${'a*'.repeat(60)}b`, 'a'.repeat(250))).toBe(false);
  });
});

test('hasWildcards() sees what no backslash takes', () => {
  expect(['a*', 'a?', '[a]'].every(hasWildcards)).toBe(true);
  expect(['a', 'a\\*', '\\[a]', '\\'].some(hasWildcards)).toBe(false);
});
