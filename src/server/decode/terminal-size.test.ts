import { expect, test } from 'bun:test';
import type { ApiRequest } from '../api-request.ts';
import { terminalSize } from './terminal-size.ts';

const sizeOf = (h: string, w: string) =>
  terminalSize({ query: new URLSearchParams({ h, w }) } as unknown as ApiRequest);

test('rows and columns, as much as the kernel takes', () => {
  expect(sizeOf('24', '80')).toEqual({ rows: 24, columns: 80 });
  expect(sizeOf('4294967295', '0')).toEqual({ rows: 65_535, columns: 0 });
});

// Seen at Docker 28.5.
test.each([
  ['', 'invalid syntax'],
  ['a', 'invalid syntax'],
  ['-', 'invalid syntax'],
  ['+5', 'invalid syntax'],
  ['1.5', 'invalid syntax'],
  ['-100', 'value out of range'],
  ['4294967296', 'value out of range'],
])('%p is refused', (text, reason) => {
  expect(() => sizeOf(text, '1')).toThrow(`invalid resize height "${text}": ${reason}`);
  expect(() => sizeOf('1', text)).toThrow(`invalid resize width "${text}": ${reason}`);
});
