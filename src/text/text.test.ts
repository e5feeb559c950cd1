import { expect, test } from 'bun:test';
import { parseDetachKeys } from './detach-keys.ts';
import { hasLabel } from './has-label.ts';
import { parseBool, parseBoolRefusal } from './parse-bool.ts';

test("parseBool() takes Go's words alone", () => {
  for (const text of ['1', 't', 'T', 'true', 'TRUE', 'True']) expect(parseBool(text)).toBe(true);
  for (const text of ['0', 'f', 'F', 'false', 'FALSE', 'False']) expect(parseBool(text)).toBe(false);
  for (const text of ['', 'yes', 'tRue', ' 1', '__proto__']) expect(parseBool(text)).toBeUndefined();
  expect(parseBoolRefusal('y"')).toBe('strconv.ParseBool: parsing "y\\"": invalid syntax');
});

test.each([
  ['a', true],
  ['a=1', true],
  ['a=', false],
  ['a=1=2', false],
  ['b', true],
  ['b=x=y', true],
  ['c', false],
  ['toString', false],
])('hasLabel(%p) is %p', (wanted, has) => {
  expect(hasLabel({ a: '1', b: 'x=y' }, wanted)).toBe(has);
});

test('detach keys become bytes', () => {
  expect([...parseDetachKeys('ctrl-p,ctrl-q')]).toEqual([16, 17]);
  expect([...parseDetachKeys('a,ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_,DEL')]).toEqual([
    97, 0, 27, 28, 29, 30, 31, 127,
  ]);
  for (const text of ['ctrl-1', 'CTRL-p', 'ctrl-', 'ab', 'é', 'a,,b'])
    expect(() => parseDetachKeys(text), text).toThrow('Unknown character');
});
