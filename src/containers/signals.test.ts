import { expect, test } from 'bun:test';
import { parseSignal } from './signals.ts';

test.each([
  ['KILL', 9],
  ['SIGKILL', 9],
  ['sigterm', 15],
  ['9', 9],
  ['USR1', 10],
  ['RTMIN', 34],
  ['SIGRTMIN+3', 37],
  ['RTMAX-1', 63],
])('parseSignal(%p) is %p', (text, number) => expect(parseSignal(text)).toBe(number));

test.each(['', '0', 'NOSUCH', 'RTMIN-1', 'RTMAX+1', 'RTMIN+99', '-9', '9x'])(
  'parseSignal(%p) is refused',
  (text) => {
    expect(() => parseSignal(text)).toThrow(`invalid signal: ${text}`);
  },
);

test('a number beyond the last signal is refused as Docker does', () => {
  expect(() => parseSignal('99')).toThrow('the linux daemon does not support signal 99');
});
