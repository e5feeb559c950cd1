import { expect, test } from 'bun:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostOptions } from '../container.ts';
import { nowhere, ServiceBench } from '../testing/service-bench.ts';

const bench = new ServiceBench();
const restarts = (name: HostOptions['restartPolicy']['name'], maximumRetryCount = 0) => ({
  host: { restartPolicy: { name, maximumRetryCount } },
});

async function until(name: string, status: string): Promise<void> {
  while ((await bench.stateOf(name)).status !== status) await sleep(2);
}

async function boot(): Promise<void> {
  await bench.reboot();
  await bench.daemon.service.startDue();
}

/** A minute, for the stops that are noted. */
async function letTimePass(): Promise<void> {
  const { notes } = bench.daemon;
  for (const [id, note] of await notes.load())
    if (note.stop !== undefined)
      notes.write(id, { ...note, stop: { ...note.stop, sinceMs: note.stop.sinceMs - 60_000 } });
}

test('on-failure:2 runs three times, and who waits has the first end', async () => {
  await bench.create('failing', 'three', restarts('on-failure', 2));
  const { service } = bench.daemon;
  const { result } = await service.wait('failing', 'next-exit', nowhere);
  await service.start('failing');
  expect((await result).exitCode).toBe(3);
  await until('failing', 'exited');
  const view = await service.inspect('failing');
  expect([view.restartCount, view.state.exitCode]).toEqual([2, 3]);
  expect(bench.daemon.events.filter((event) => ['start', 'die'].includes(event))).toEqual([
    'start',
    'die',
    'start',
    'die',
    'start',
    'die',
  ]);
  await service.start('failing');
  expect((await service.inspect('failing')).restartCount).toBeLessThan(2);
});

test('between two runs it is up: start changes nothing, remove and pause refuse, stop ends it', async () => {
  const id = await bench.create('again', 'three', restarts('always'));
  const { service, events } = bench.daemon;
  await service.start('again');
  await until('again', 'restarting');
  const filters = new Map<string, string[]>();
  expect((await service.list({ all: false, limit: undefined, size: false, filters })).length).toBe(1);
  expect(service.start('again')).rejects.toMatchObject({ kind: 'not-modified' });
  expect(service.remove('again', { force: false, volumes: false })).rejects.toMatchObject({
    kind: 'conflict',
    message:
      'cannot remove container "again": container is restarting: stop the container before removing or force remove',
  });
  expect(service.pause('again')).rejects.toMatchObject({
    message: `Container ${id} is restarting, wait until the container is running`,
  });
  await until('again', 'restarting');
  const waited = await service.wait('again', 'not-running', nowhere);
  await service.stop('again', { signal: undefined, timeoutSeconds: undefined });
  expect((await waited.result).exitCode).toBe(3);
  expect((await bench.stateOf('again')).status).toBe('exited');
  const count = events.length;
  await sleep(300);
  expect([events.at(-1), events.length]).toEqual(['stop', count]);
});

test('what a user stops or kills stays down; another signal leaves the policy as it is', async () => {
  for (const signal of ['KILL', 'TERM', 'INT']) {
    await bench.create(signal, 'sleep', restarts('always'));
    const { service } = bench.daemon;
    await service.start(signal);
    await service.kill(signal, signal);
    await until(signal, 'exited');
  }
  await bench.create('usr', 'sleep', restarts('always'));
  await bench.daemon.service.start('usr');
  await bench.daemon.service.kill('usr', 'USR1');
  await until('usr', 'running');
  expect((await bench.daemon.service.inspect('usr')).restartCount).toBe(1);
});

test("a restart on a user's word is one start", async () => {
  await bench.create('renewed', 'sleep', restarts('always'));
  const { service, events } = bench.daemon;
  await service.start('renewed');
  await service.restart('renewed', { signal: undefined, timeoutSeconds: 0 });
  await sleep(250);
  expect(events.filter((event) => event === 'start').length).toBe(2);
  expect((await service.inspect('renewed')).restartCount).toBe(0);
});

test('a daemon that dies between two runs: the next one starts it and counts on', async () => {
  await bench.create('due', 'three', restarts('on-failure', 9));
  await bench.daemon.service.start('due');
  await until('due', 'restarting');
  await bench.daemon.service.close();
  const { restartCount } = await bench.daemon.service.inspect('due');
  await boot();
  expect((await bench.daemon.service.inspect('due')).restartCount).toBeGreaterThanOrEqual(restartCount);
  expect(bench.daemon.events).toContain('start');
});

test('with the daemon start what the policies say', async () => {
  const { service } = bench.daemon;
  await bench.create('always', 'sleep', restarts('always'));
  await bench.create('unless', 'sleep', restarts('unless-stopped'));
  await bench.create('lost', 'sleep', restarts('unless-stopped'));
  await bench.create('no', 'sleep');
  await bench.create('never-started', 'sleep', restarts('always'));
  for (const name of ['always', 'unless', 'lost', 'no']) await service.start(name);
  for (const name of ['always', 'unless']) await service.stop(name, { signal: undefined, timeoutSeconds: 0 });
  await service.close();
  // The machine goes down: what ran is gone, and so is what lay on tmpfs.
  bench.machine.tasks.tasks.clear();
  for (const id of (await bench.daemon.notes.load()).keys()) await bench.daemon.notes.remove(id);
  await boot();
  const views = await bench.listAll();
  const states = views.map(({ name, state }) => [name, `${state.status} ${state.exitCode}`]);
  expect(Object.fromEntries(states)).toEqual({
    always: 'running 0',
    lost: 'running 0',
    'never-started': 'created 0',
    no: 'exited 255',
    unless: 'exited 143',
  });
});

test('a stop that the daemon died in is brought to its end by the next one', async () => {
  await bench.create('stuck', 'stubborn', restarts('always'));
  const { service } = bench.daemon;
  await service.start('stuck');
  void service.stop('stuck', { signal: undefined, timeoutSeconds: 60 }).catch(() => undefined);
  await sleep(50);
  await service.close();
  await letTimePass();
  await boot();
  await until('stuck', 'exited');
  expect((await bench.stateOf('stuck')).exitCode).toBe(137);
  expect(bench.daemon.events).toContain('stop');
});

test('a restart that the daemon died in is brought to its end by the next one', async () => {
  await bench.create('renewed', 'stubborn');
  const { service } = bench.daemon;
  await service.start('renewed');
  const first = (await bench.stateOf('renewed')).startedAtNano;
  void service.restart('renewed', { signal: undefined, timeoutSeconds: 60 }).catch(() => undefined);
  await sleep(50);
  await service.close();
  await letTimePass();
  await boot();
  while ((await bench.stateOf('renewed')).startedAtNano === first) await sleep(2);
  await until('renewed', 'running');
});

test('a rename and an exit at once: both are on disk', async () => {
  const id = await bench.create('old', 'three');
  const { service } = bench.daemon;
  const waited = await service.wait('old', 'next-exit', nowhere);
  await service.start('old');
  await Promise.all([service.rename('old', 'new'), waited.result]);
  await until('new', 'exited');
  await service.close();
  await boot();
  const view = await bench.daemon.service.inspect(id);
  expect([view.name, view.state.exitCode, view.state.status]).toEqual(['new', 3, 'exited']);
});
