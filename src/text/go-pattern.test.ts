import { expect, test } from 'bun:test';
import { goPattern, goPatternOrNone } from './go-pattern.ts';

test('found anywhere, in linear time', () => {
  expect(goPattern('we.').test('/web1')).toBe(true);
  expect(goPattern('^web$').test('/web')).toBe(false);
  // Backtracking would outlast the machine.
  expect(goPattern('^/?(a+)+$').test(`${'a'.repeat(5000)}_1`)).toBe(false);
});

test.each([
  ['(a', 'error parsing regexp: missing closing ): `(a`'],
  ['a**', 'error parsing regexp: invalid nested repetition operator: `**`'],
  ['(?=a)', 'error parsing regexp: invalid or unsupported Perl syntax: `(?=`'],
  ['a{1,1001}', 'error parsing regexp: invalid repeat count: `{1,1001}`'],
])('%s is refused in Go’s words', (source, words) => {
  expect(() => goPattern(source)).toThrow(words);
  expect(goPatternOrNone(source)).toBeUndefined();
});
