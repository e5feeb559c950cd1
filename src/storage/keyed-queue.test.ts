import { expect, test } from 'bun:test';
import { KeyedQueue } from './keyed-queue.ts';

/** A job that says when it begins and waits until it is let go. */
function job(log: string[], name: string) {
  const gate = Promise.withResolvers<void>();
  return {
    end: gate.resolve,
    run: async () => {
      log.push(name);
      await gate.promise;
      return name;
    },
  };
}

test('jobs that share a name follow each other, others do not wait', async () => {
  const [queue, log] = [new KeyedQueue(), [] as string[]];
  const [first, second, other] = [job(log, 'first'), job(log, 'second'), job(log, 'other')];
  const [a, b, c] = [
    queue.run(['x', 'y'], first.run),
    queue.run(['y', 'z', 'y'], second.run),
    queue.run(['w'], other.run),
  ];
  await Bun.sleep(0);
  expect(log).toEqual(['first', 'other']);
  first.end();
  await a;
  await Bun.sleep(0);
  expect(log).toEqual(['first', 'other', 'second']);
  second.end();
  other.end();
  expect(await Promise.all([b, c])).toEqual(['second', 'other']);
});

test('opposite orders of names do not hold each other up, and a failure lets the next one go', async () => {
  const queue = new KeyedQueue();
  const failing = queue.run(['x', 'y'], () => Promise.reject(new Error('no')));
  const next = queue.run(['y', 'x'], async () => 'done');
  expect(await failing.catch(String)).toBe('Error: no');
  expect(await next).toBe('done');
});

test('without a name a job runs at once', async () => {
  const queue = new KeyedQueue();
  let ran = false;
  const running = queue.run([], async () => {
    ran = true;
  });
  expect(ran).toBe(true);
  await running;
});
