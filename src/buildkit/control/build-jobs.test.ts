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

const vertex = (digest: string, more: object = {}): BuildEvent => ({
  type: 'vertex',
  vertex: { digest: digest as never, inputs: [], name: digest, cached: false, ...more },
});
const dockerfile = (bytes: number): BuildEvent => ({
  type: 'dockerfile',
  dockerfile: { name: 'Dockerfile', data: new Uint8Array(bytes) },
});

test('steps are counted once, however often they are told of', () => {
  const job = new BuildJobs().begin('r');
  for (const digest of ['a', 'b', 'c']) job.tell(vertex(digest));
  job.tell(vertex('a', { startedNano: 1n }));
  job.tell(vertex('a', { startedNano: 1n, completedNano: 2n }));
  job.tell(vertex('b', { startedNano: 1n, completedNano: 2n, cached: true }));
  job.tell(warning('one'));
  const counts = { total: 3, completed: 2, cached: 1, warnings: 1 };
  expect(job.counts).toEqual(counts);
  job.end({}, 3n);
  expect(job.counts).toEqual(counts);
});

test('a listener hears of builds that begin, end and are forgotten, until it leaves', async () => {
  const jobs = new BuildJobs();
  jobs.begin('before');
  const leaving = new AbortController();
  const changes = jobs.changes(leaving.signal);
  const heard: string[] = [];
  const listening = (async () => {
    for await (const { job, change } of changes) heard.push(`${job.ref} ${change}`);
  })();
  const told = async (act: () => void): Promise<string[]> => {
    act();
    await Bun.sleep(1);
    return heard.splice(0);
  };
  expect(await told(() => jobs.begin('r'))).toEqual(['r begun']);
  expect(await told(() => jobs.find('r')?.end({}, 1n))).toEqual(['r ended']);
  expect(await told(() => jobs.forget('r'))).toEqual(['r forgotten']);
  expect(await told(() => jobs.find('before')?.end({}, 1n))).toEqual(['before ended']);
  leaving.abort();
  await listening;
  expect(await told(() => jobs.begin('later'))).toEqual([]);
});

test('a listener that doesn’t read costs no more than so many changes', async () => {
  const jobs = new BuildJobs();
  const leaving = new AbortController();
  const changes = jobs.changes(leaving.signal);
  for (let count = 0; count < 3000; count++) jobs.begin(`r${count}`).end({}, 1n);
  await Bun.sleep(1);
  const heard: string[] = [];
  for await (const { job } of changes) {
    heard.push(job.ref);
    if (job.ref === 'r2999') leaving.abort();
  }
  expect(heard.length).toBeLessThanOrEqual(1000);
});

test('of ended builds no more is kept than some megabytes; how they ended is', async () => {
  const jobs = new BuildJobs();
  for (let count = 0; count < 10; count++) {
    const job = jobs.begin(`r${count}`);
    job.tell(dockerfile(8 << 20));
    job.tell(vertex('a', { completedNano: 1n }));
    job.end({}, 1n);
    await Bun.sleep(1);
  }
  const kept = jobs.list().reduce((sum, { dockerfile: file }) => sum + (file?.data.length ?? 0), 0);
  expect(kept).toBeLessThanOrEqual(32 << 20);
  expect(jobs.list().map(({ counts }) => counts.completed)).toEqual(Array.from({ length: 10 }, () => 1));
  expect(jobs.find('r9')?.dockerfile?.data.length).toBe(8 << 20);
  expect(await Array.fromAsync(jobs.find('r0')?.events(signal) ?? [])).toEqual([]);
});
