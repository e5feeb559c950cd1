import { expect, test } from 'bun:test';
import { readEpoch } from './source-date-epoch.ts';

test.each([
  [undefined, undefined],
  ['', undefined],
  ['0', 0],
  ['+86400', 86_400],
  ['-5', -5],
])('%p is %p', (text, seconds) => {
  expect(readEpoch('SOURCE_DATE_EPOCH', text)).toBe(seconds as number);
});

test.each([
  ['abc', 'invalid syntax'],
  ['1.5', 'invalid syntax'],
  ['0x10', 'invalid syntax'],
  ['99999999999999999999', 'value out of range'],
])('%s is refused in the words of BuildKit', (text, why) => {
  expect(() => readEpoch('SOURCE_DATE_EPOCH', text)).toThrow(
    `invalid SOURCE_DATE_EPOCH: ${text}: strconv.ParseInt: parsing "${text}": ${why}`,
  );
});
