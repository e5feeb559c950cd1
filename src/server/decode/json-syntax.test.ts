import { expect, test } from 'bun:test';
import { jsonSyntaxError } from './json-syntax.ts';

const KEY = 'looking for beginning of object key string';

// Seen at Docker 28.5.
test.each([
  ['{invalid', `invalid JSON: invalid character 'i' ${KEY}`],
  ['{} trash', 'unexpected content after JSON'],
  ['{}{}', 'unexpected content after JSON'],
  ['{"a":"x"}x', 'unexpected content after JSON'],
  ['{"a":1,}', `invalid JSON: invalid character '}' ${KEY}`],
  ['{,', `invalid JSON: invalid character ',' ${KEY}`],
  ['{é', `invalid JSON: invalid character 'é' ${KEY}`],
  ["{'", `invalid JSON: invalid character '\\'' ${KEY}`],
  ['{"a" 1}', "invalid JSON: invalid character '1' after object key"],
  ['{"a":1 "b"', "invalid JSON: invalid character '\"' after object key:value pair"],
  ['{"a":01}', "invalid JSON: invalid character '1' after object key:value pair"],
  ['[1 2', "invalid JSON: invalid character '2' after array element"],
  ['}', "invalid JSON: invalid character '}' looking for beginning of value"],
  ['{"a":.5}', "invalid JSON: invalid character '.' looking for beginning of value"],
  ['{"a":tru}', "invalid JSON: invalid character '}' in literal true (expecting 'e')"],
  ['{"a":-}', "invalid JSON: invalid character '}' in numeric literal"],
  ['{"a":1.}', "invalid JSON: invalid character '}' in numeric literal"],
  ['{"a":1e}', "invalid JSON: invalid character '}' in numeric literal"],
  ['{"a":"\x01"}', "invalid JSON: invalid character '\\x01' in string"],
  ['{"a":"\\q"}', 'invalid JSON: invalid escape sequence `\\q` in string'],
  ['{"a":"\\u12g"}', 'invalid JSON: invalid escape sequence `\\u12g"` in string'],
  ['[', 'invalid JSON: unexpected EOF'],
  ['nul', 'invalid JSON: unexpected EOF'],
  ['{"a":"b', 'invalid JSON: unexpected EOF'],
])('%s', (text, expected) => {
  expect(() => JSON.parse(text)).toThrow();
  expect(jsonSyntaxError(text)).toBe(expected);
});

test('what is right has no mistake, however deep', () => {
  const deep = '['.repeat(200_000) + ']'.repeat(200_000);
  for (const text of ['{}', ' [ ] ', '{"a":[1,-0.5e+3,{"b":null}],"c":"\\u00e9\\n"}', '0', 'true', deep])
    expect(jsonSyntaxError(text)).toBeUndefined();
});
