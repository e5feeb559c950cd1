import { expect, test } from 'bun:test';
import { failureOf } from '../../../test/support/failure-of.ts';
import type { BuildEvent } from '../../builder/build-progress.ts';
import { BuildJobs } from './build-jobs.ts';

const { signal } = new AbortController();
const warning = (short: string): BuildEvent => ({
  type: 'warning',
  warning: { vertex: undefined, level: 1, short, detail: [], url: '' },
});
const log = (bytes: number): BuildEvent => ({
  type: 'log',
  log: { vertex: 'sha256:0' as never, stream: 1, data: new Uint8Array(bytes), timeNano: 0n },
});

test('progress can be asked for before a build begins and after it has ended, a client’s own question too', async () => {
  const jobs = new BuildJobs();
  const early = jobs.get('r', signal);
  const job = jobs.begin('r', { isInternal: true });
  expect(await early).toBe(job);
  job.tell(warning('one'));
  const watching = Array.fromAsync(job.events(signal));
  await Bun.sleep(1);
  job.tell(warning('two'));
  job.end({}, 1n);
  expect((await watching).flat()).toHaveLength(2);
  const late = await jobs.get('r', signal);
  expect((await Array.fromAsync(late.events(signal))).flat()).toHaveLength(2);
});

test('of ended builds a hundred are remembered; a name is taken as long', async () => {
  const jobs = new BuildJobs();
  for (let count = 0; count < 150; count++) jobs.begin(`r${count}`).end({}, 1n);
  await Bun.sleep(1);
  expect(jobs.list()).toHaveLength(100);
  expect(() => jobs.begin('r149')).toThrow('job ID r149 exists');
  expect(() => jobs.begin('')).toThrow('it has no ref');
});

test('whoever reads slowly, or late, costs no more than so much memory', async () => {
  const job = new BuildJobs().begin('r');
  const slow = job.events(signal);
  const first = slow.next();
  job.tell(log(1));
  await first;
  for (let count = 0; count < 100; count++) job.tell(log(1 << 20));
  job.end({}, 1n);
  const bytesOf = (events: BuildEvent[]) =>
    events.reduce((sum, event) => sum + (event.type === 'log' ? event.log.data.length : 0), 0);
  expect(bytesOf((await Array.fromAsync(slow)).flat())).toBeLessThan(33 << 20);
  expect(bytesOf((await Array.fromAsync(job.events(signal))).flat())).toBeLessThan(2 << 20);
});

test('a watcher that leaves ends', async () => {
  const job = new BuildJobs().begin('r');
  const leaving = new AbortController();
  const watching = Array.fromAsync(job.events(leaving.signal));
  leaving.abort();
  expect(await watching).toEqual([]);
});

test('a build that nobody begins is not waited for once its asker is gone', async () => {
  const leaving = new AbortController();
  const asked = failureOf(new BuildJobs().get('r', leaving.signal));
  leaving.abort(new Error('gone'));
  expect(await asked).toMatchObject({ message: 'gone' });
});
