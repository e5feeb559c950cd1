import { expect, test } from 'bun:test';
import { failureOf } from '../../test/support/failure-of.ts';
import { abortable } from './abortable.ts';

test('work that never ends is left when the signal says so, other work resolves or rejects as it is', async () => {
  const stop = new AbortController();
  const left = abortable(new Promise(() => undefined), stop.signal);
  stop.abort(new Error('enough'));
  expect(await failureOf(left)).toMatchObject({ message: 'enough' });
  const { signal } = new AbortController();
  expect(await abortable(Promise.resolve(1), signal)).toBe(1);
  expect(await failureOf(abortable(Promise.reject(new Error('no')), signal))).toMatchObject({
    message: 'no',
  });
});
