import { afterAll, expect, test } from 'bun:test';
import { stat } from 'node:fs/promises';
import { mountDead } from '../../test/support/engine/dead-server.ts';
import { failureOf } from '../../test/support/failure-of.ts';
import { BlockingCalls } from './blocking-calls.ts';

const dead = mountDead();
afterAll(() => dead.close());

test('calls that never return hold up neither one another nor the files of the process', async () => {
  const calls = new BlockingCalls<string, boolean>(
    new URL('./testing/stat-worker.ts', import.meta.url),
    'look',
  );
  const stop = new AbortController();
  const stuck = Array.from({ length: 8 }, () => calls.ask(dead.path, { signal: stop.signal }));
  const { signal } = new AbortController();
  expect(await calls.ask('/', { signal })).toBe(true);
  expect((await stat('/')).isDirectory()).toBe(true);
  stop.abort(new Error('enough'));
  for (const call of stuck) expect(await failureOf(call)).toMatchObject({ message: 'enough' });
});

test('when too many have not returned, the next is refused, and served when they have', async () => {
  const calls = new BlockingCalls<string, boolean>(
    new URL('./testing/stat-worker.ts', import.meta.url),
    'look',
  );
  const { signal } = new AbortController();
  const stuck = Array.from({ length: 32 }, () => calls.ask(dead.path, { signal }));
  expect(await failureOf(calls.ask('/', { signal }))).toMatchObject({
    kind: 'unavailable',
    message: 'Cannot look: 32 such calls have not returned',
  });
  dead.close();
  await Promise.allSettled(stuck);
  expect(await calls.ask('/', { signal })).toBe(true);
});
