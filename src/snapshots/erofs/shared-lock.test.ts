import { expect, test } from 'bun:test';
import { SharedLock } from './shared-lock.ts';

test('shared tasks run together, an exclusive one alone, in the order of asking', async () => {
  const lock = new SharedLock();
  const log: string[] = [];
  const task = (name: string) => async () => {
    log.push(`+${name}`);
    await Bun.sleep(2);
    log.push(`-${name}`);
  };
  await Promise.all([
    lock.shared(task('a')),
    lock.shared(task('b')),
    lock.exclusive(task('X')),
    lock.shared(task('c')),
  ]);
  expect(log).toEqual(['+a', '+b', '-a', '-b', '+X', '-X', '+c', '-c']);
});

test('a task that fails gives its turn on', async () => {
  const lock = new SharedLock();
  const failed = lock.exclusive(() => Promise.reject(new Error('no')));
  expect(await failed.catch((error: Error) => error.message)).toBe('no');
  expect(await lock.shared(() => Promise.resolve(1))).toBe(1);
});
