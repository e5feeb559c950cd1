import { expect, test } from 'bun:test';
import type { LiveTask } from '../live-container.ts';
import { inOneRun } from './in-one-run.ts';

const first = {} as LiveTask;
const never = new AbortController().signal;

test('what fails because the run has ended meanwhile is tried on what is there then, once its root is away', async () => {
  const cleaning = Promise.withResolvers<void>();
  const container = { task: first as LiveTask | undefined, cleaning: cleaning.promise };
  const seen: (LiveTask | undefined)[] = [];
  const work = inOneRun(container, never, async () => {
    seen.push(container.task);
    if (container.task === undefined) return 'read';
    container.task = undefined;
    throw new Error('Cannot mount bind: ENOENT');
  });
  await Bun.sleep(1);
  expect(seen).toEqual([first]);
  cleaning.resolve();
  expect(await work).toBe('read');
  expect(seen).toEqual([first, undefined]);
});

test('what fails in a run that goes on has failed; so has what was given up, or never meets a run', async () => {
  const container = { task: first as LiveTask | undefined, cleaning: Promise.resolve() };
  let tries = 0;
  const fails = async () => {
    tries++;
    throw new Error('broken');
  };
  expect(await inOneRun(container, never, fails).catch(String)).toBe('Error: broken');
  expect(tries).toBe(1);
  const ends = async () => {
    container.task = {} as LiveTask;
    return await fails();
  };
  expect(await inOneRun(container, never, ends).catch(String)).toBe('Error: broken');
  expect(tries).toBe(11);
  expect(await inOneRun(container, AbortSignal.abort(new Error('given up')), ends).catch(String)).toBe(
    'Error: given up',
  );
});
