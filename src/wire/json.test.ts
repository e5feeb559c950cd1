import { expect, test } from 'bun:test';
import { parseJson, stringifyJson, toBigInt } from './json.ts';

test('parseJson() keeps integers past 2^53 as bigint and leaves all others alone', () => {
  expect(parseJson('{"timeNano":1700000000123456789,"n":9007199254740991,"m":-9223372036854775808}')).toEqual(
    {
      timeNano: 1700000000123456789n,
      n: 9007199254740991,
      m: -9223372036854775808n,
    },
  );
  expect(parseJson('[1.5,1e20,12345678901234567.5,-0]')).toEqual([
    1.5,
    1e20,
    Number('12345678901234567.5'),
    -0,
  ]);
});

test('parseJson() leaves digits in strings alone, escapes and all', () => {
  const value = {
    a: '1700000000123456789',
    'b\\"1700000000123456789': '\\',
    c: 'x"1700000000123456789\\\\"',
  };
  expect(parseJson(`[${JSON.stringify(value)},12345678901234567890]`)).toEqual([
    value,
    12345678901234567890n,
  ]);
});

test('parseJson() refuses bad syntax, numbers that JSON does not know, and depth', () => {
  for (const text of [
    '',
    '{',
    '[1,]',
    '01234567890123456789',
    '"a',
    '"a\\',
    '{"a":1}x',
    '-',
    "{'a':1}",
    'nul',
  ])
    expect(() => parseJson(text), text).toThrow('invalid JSON');
  expect(() => parseJson('['.repeat(1001) + ']'.repeat(1001))).toThrow('max depth');
  expect(() => parseJson('['.repeat(3_000_000))).toThrow('max depth');
  expect(() => parseJson('"aaaa"', { maxLength: 5 })).toThrow('too long');
});

test('parseJson() takes __proto__ as a plain key', () => {
  const value = parseJson('{"__proto__":{"admin":true},"n":12345678901234567890}') as Record<string, unknown>;
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  expect(value['admin']).toBeUndefined();
});

test('stringifyJson() writes bare digits, drops undefined, and escapes HTML only where asked', () => {
  const value = {
    a: 9223372036854775807n,
    b: undefined,
    c: [undefined, '<&>\u2028'],
    d: null,
    e: Number.NaN,
  };
  expect(stringifyJson(value)).toBe('{"a":9223372036854775807,"c":[null,"<&>\\u2028"],"d":null,"e":null}');
  expect(stringifyJson('<&>', { escapeHtml: true })).toBe('"\\u003c\\u0026\\u003e"');
  expect(parseJson(stringifyJson({ a: 9223372036854775807n }))).toEqual({ a: 9223372036854775807n });
});

test('toBigInt() takes integers of either kind and nothing else', () => {
  expect([5, 5n, 1.5, '5', null, undefined].map((value) => toBigInt(value))).toEqual([
    5n,
    5n,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
