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

test('who is in a hurry has what takes too long given up, and nothing that comes in time', async () => {
  const queue = new SerialQueue();
  const gone = new Error('given up');
  const untilGivenUp = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const stuck = [queue.run(untilGivenUp), queue.run(untilGivenUp)];
  const soon = queue.runSoon(async (signal) => signal.aborted, { patienceMs: 5, reason: () => gone });
  expect(await Promise.allSettled(stuck)).toEqual([
    { status: 'rejected', reason: gone },
    { status: 'rejected', reason: gone },
  ]);
  expect(await soon).toBe(false);
  const last = queue.run(untilGivenUp);
  queue.giveUp(new Error('closing'));
  await Promise.resolve();
  queue.giveUp(new Error('closing'));
  expect(await last.catch((error: Error) => error.message)).toBe('closing');
});
