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

test.each(['', '0', 'NOSUCH', 'RTMIN-1', 'RTMAX+1', 'RTMIN+99', 'SIG9', 'SIG42', '9x'])(
  'parseSignal(%p) is refused',
  (text) => {
    expect(() => parseSignal(text)).toThrow(`invalid signal: ${text}`);
  },
);

test('a number beyond the signals is refused as Docker does', () => {
  for (const text of ['99', '-1'])
    expect(() => parseSignal(text)).toThrow(`the linux daemon does not support signal ${text}`);
});
