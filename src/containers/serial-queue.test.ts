import { expect, test } from 'bun:test';
import { SerialQueue } from './serial-queue.ts';

test('jobs run in order, one at a time, and a failing one does not stop the next', async () => {
  const queue = new SerialQueue();
  const seen: string[] = [];
  const first = queue.run(async () => {
    await Bun.sleep(5);
    seen.push('first');
    throw new Error('first failed');
  });
  const second = queue.run(async () => {
    seen.push('second');
    return 2;
  });
  expect(await first.catch((error: Error) => error.message)).toBe('first failed');
  expect(await second).toBe(2);
  expect(seen).toEqual(['first', 'second']);
});
