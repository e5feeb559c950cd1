import { expect, test } from 'bun:test';
import { readText } from './http1-transport.ts';

test('an answer without end is given up at its bound', async () => {
  let taken = 0;
  async function* endless() {
    for (;;) {
      taken++;
      yield new TextEncoder().encode('0123456789');
    }
  }
  expect(await readText(endless(), 95).catch((error: unknown) => error)).toMatchObject({
    code: 'size-exceeded',
  });
  expect(taken).toBe(10);
});
