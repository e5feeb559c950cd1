import { expect, test } from 'bun:test';
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { failureOf } from '../../test/support/failure-of.ts';
import { apparmorProfile } from '../runtime/spec/apparmor.ts';
import type { ContainerConfig, HostOptions } from './container.ts';
import type { AttachClient } from './container-backend.ts';
import { nowhere, ServiceBench } from './testing/service-bench.ts';

const bench = new ServiceBench();

async function runToEnd(name: string) {
  const { result } = await bench.daemon.service.wait(name, 'next-exit', nowhere);
  await bench.daemon.service.start(name);
  return await result;
}

function attachTo(
  name: string,
  stdin: AsyncIterable<Uint8Array> = nothing(),
  vanish = new AbortController(),
) {
  const seen = { text: '' };
  const client: AttachClient = {
    stdin,
    signal: vanish.signal,
    write: async (_stream, data) => {
      seen.text += Buffer.from(data).toString();
    },
  };
  const request = {
    stdin: true,
    stdout: true,
    stderr: true,
    logs: false,
    stream: true,
    detachKeys: undefined,
  };
  return { seen, vanish, ended: bench.daemon.service.attach(name, request, () => client) };
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  yield* [];
}
async function* typed(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

test('a run from create to remove, as events tell it', async () => {
  await bench.create('one', 'three');
  expect((await bench.stateOf('one')).status).toBe('created');
  expect(await runToEnd('one')).toEqual({ exitCode: 3, error: undefined });
  expect(await bench.stateOf('one')).toMatchObject({ status: 'exited', exitCode: 3, pid: 0 });
  await bench.daemon.service.remove('one', { force: false, volumes: false });
  expect(bench.daemon.events).toEqual(['create', 'connect', 'start', 'disconnect', 'die', 'destroy']);
  expect(await failureOf(bench.daemon.service.inspect('one'))).toMatchObject({
    message: 'No such container: one',
  });
});

test('a creation holds its image from the look-up until it is recorded', async () => {
  const seen: [holds: number, records: number][] = [];
  bench.machine.meanwhile = async () => void seen.push([bench.machine.holds, bench.machine.db.rows.size]);
  await bench.create('one', 'three');
  expect([seen, bench.machine.holds, bench.machine.db.rows.size]).toEqual([[[1, 0]], 0, 1]);
  bench.machine.db.failing = true;
  await failureOf(bench.create('two', 'three'));
  expect([bench.machine.holds, bench.daemon.service.imageRoots().blobs.length]).toEqual([0, 3]);
});

test('an attached client has all output and is let go at the end; half-close ends the input', async () => {
  await bench.create('one', 'cat', { config: { openStdin: true, stdinOnce: true } });
  const first = attachTo('one', typed('hello'));
  expect((await runToEnd('one')).exitCode).toBe(0);
  await first.ended;
  expect(first.seen.text).toBe('hello');
});

test('a client that vanishes before the start, or while it runs, holds up nothing', async () => {
  await bench.create('one', 'sleep');
  const early = attachTo('one');
  early.vanish.abort();
  await early.ended;
  await bench.daemon.service.start('one');
  const late = attachTo('one');
  const killed = bench.daemon.service.kill('one', 'KILL');
  late.vanish.abort();
  await Promise.all([killed, late.ended]);
  expect((await bench.exitOf('one')).exitCode).toBe(137);
});

test('a client attached to a container that is removed unstarted is let go', async () => {
  await bench.create('one', 'sleep');
  const client = attachTo('one');
  await bench.daemon.service.remove('one', { force: false, volumes: false });
  await client.ended;
});

test('wait: not-running answers at once, next-exit and removed when their time comes', async () => {
  await bench.create('one', 'sleep', { host: { autoRemove: true } });
  expect(await bench.exitOf('one')).toEqual({ exitCode: 0, error: undefined });
  const next = bench.exitOf('one', 'next-exit');
  const removed = bench.exitOf('one', 'removed');
  await bench.daemon.service.start('one');
  await bench.daemon.service.kill('one', 'TERM');
  expect([(await next).exitCode, (await removed).exitCode]).toEqual([143, 143]);
});

test('waiters of a container that is removed unstarted are woken', async () => {
  await bench.create('one', 'sleep');
  const waits = [bench.exitOf('one', 'next-exit'), bench.exitOf('one', 'removed')];
  await sleep(1);
  await bench.daemon.service.remove('one', { force: false, volumes: false });
  expect(await Promise.all(waits)).toHaveLength(2);
});

test('stop kills what does not heed it, after its time', async () => {
  await bench.create('one', 'stubborn');
  await bench.daemon.service.start('one');
  await bench.daemon.service.stop('one', { signal: undefined, timeoutSeconds: 1 });
  expect(await bench.stateOf('one')).toMatchObject({ status: 'exited', exitCode: 137 });
  expect(
    await failureOf(bench.daemon.service.stop('one', { signal: undefined, timeoutSeconds: 1 })),
  ).toMatchObject({
    kind: 'not-modified',
  });
});

test('a stop is answered when the end is on disk', async () => {
  const id = await bench.create('one', 'stubborn');
  await bench.daemon.service.start('one');
  const { db } = bench.machine;
  const transact = db.transact.bind(db);
  db.transact = async (statements) => {
    await sleep(30);
    await transact(statements);
  };
  await bench.daemon.service.stop('one', { signal: undefined, timeoutSeconds: 0 });
  expect(JSON.parse(db.rows.get(id) ?? '{}')).toMatchObject({ active: false, exitCode: 137 });
  db.transact = transact;
});

const isStoppedOnDisk = (id: string) =>
  (JSON.parse(bench.machine.db.rows.get(id) ?? '{}') as { stoppedByUser?: boolean }).stoppedByUser;
/** How many transactions `act` commits. */
async function commitsOf(act: () => Promise<void>): Promise<number> {
  const transact = bench.machine.db.transact.bind(bench.machine.db);
  let commits = 0;
  bench.machine.db.transact = async (statements) => {
    commits++;
    await transact(statements);
  };
  await act();
  bench.machine.db.transact = transact;
  return commits;
}
const stopAction = () => bench.daemon.service.stop('one', { signal: undefined, timeoutSeconds: undefined });
const forceRemoval = () => bench.daemon.service.remove('one', { force: true, volumes: false });
const killWith = (signal: string) => () => bench.daemon.service.kill('one', signal);

test.each<[string, () => Promise<void>, boolean]>([
  ['stop', stopAction, true],
  ['kill', killWith('KILL'), true],
  ['kill by the stop signal', killWith('TERM'), true],
  ['kill by another signal', killWith('HUP'), false],
  ['rm -f', forceRemoval, true],
])(
  '%s: what the user wants is on disk before the signal goes out, and outlives the daemon',
  async (...of) => {
    const [, act, expected] = of;
    const id = await bench.create('one', 'stubborn');
    await bench.daemon.service.start('one');
    const seen: unknown[] = [];
    const sent = Promise.withResolvers<void>();
    bench.daemon.runtime.kill = async () => {
      seen.push(isStoppedOnDisk(id));
      sent.resolve();
      return await new Promise<never>(() => undefined);
    };
    void act();
    await sent.promise;
    expect(seen).toEqual([expected]);
    await bench.daemon.service.close();
    await bench.reboot();
    await killWith('HUP')();
    expect((await bench.stateOf('one')).status).toBe('running');
    const [task] = bench.machine.tasks.tasks.values();
    const ended = bench.exitOf('one');
    if (task !== undefined) await bench.daemon.runtime.kill(task.handle, 9);
    await ended;
    await bench.daemon.service.close();
    expect(isStoppedOnDisk(id)).toBe(expected);
    await bench.reboot();
  },
);

test('a stop costs one commit before its exit, none for --rm, and a restart is no stop', async () => {
  await bench.create('one', 'sleep');
  await bench.daemon.service.start('one');
  expect(await commitsOf(stopAction)).toBe(2);
  await bench.daemon.service.start('one');
  const restart = () => bench.daemon.service.restart('one', { signal: undefined, timeoutSeconds: undefined });
  expect(await commitsOf(restart)).toBe(2);
  const { id } = await bench.daemon.service.inspect('one');
  expect(isStoppedOnDisk(id)).toBe(false);
  await forceRemoval();
  await bench.create('one', 'sleep', { host: { autoRemove: true } });
  await bench.daemon.service.start('one');
  expect(await commitsOf(stopAction)).toBe(1);
});

test('a stop that cannot be recorded, or a signal that fails, is told or logged, and the word stands', async () => {
  const id = await bench.create('one', 'sleep');
  await bench.daemon.service.start('one');
  const kill = bench.daemon.runtime.kill.bind(bench.daemon.runtime);
  bench.daemon.runtime.kill = () => Promise.reject(new Error('no signal today'));
  expect(await failureOf(stopAction())).toMatchObject({ message: 'no signal today' });
  expect([isStoppedOnDisk(id), (await bench.stateOf('one')).status]).toEqual([true, 'running']);
  bench.daemon.runtime.kill = kill;
  await stopAction();
  await bench.daemon.service.start('one');
  expect(isStoppedOnDisk(id)).toBe(false);
  bench.machine.db.failing = true;
  await stopAction();
  expect((await bench.stateOf('one')).exitCode).toBe(143);
  expect(bench.daemon.errors[0]).toContain('Cannot record that a container is to stop');
});

test('a stop without time-out holds up neither another stop nor rm -f', async () => {
  await bench.create('one', 'stubborn');
  await bench.daemon.service.start('one');
  const patient = bench.daemon.service.stop('one', { signal: undefined, timeoutSeconds: -1 });
  await bench.daemon.service.stop('one', { signal: undefined, timeoutSeconds: 0 });
  await patient;
  await bench.daemon.service.start('one');
  const again = bench.daemon.service.stop('one', { signal: undefined, timeoutSeconds: 10_000_000 });
  await bench.daemon.service.remove('one', { force: true, volumes: false });
  await again;
});

test.each([
  ['nosuch', 127],
  ['/locked', 126],
])('%s: exit code, text, nothing left, and it may be tried again', async (command, exitCode) => {
  await bench.create('one', command);
  for (let attempt = 0; attempt < 2; attempt++) {
    await failureOf(bench.daemon.service.start('one'));
    expect(await bench.stateOf('one')).toMatchObject({ exitCode, error: expect.stringContaining(command) });
  }
  expect([
    ...bench.machine.mounted,
    ...bench.machine.namespaces,
    ...bench.machine.tasks.tasks.keys(),
  ]).toEqual([]);
  expect(
    existsSync(`${bench.daemon.paths.rootfsAll}/${(await bench.daemon.service.inspect('one')).id}`),
  ).toBe(false);
});

test.each(['mount', 'connect'] as const)('a start that fails at %s takes everything back', async (step) => {
  await bench.create('one', 'sleep');
  bench.machine.failAt = step;
  expect(await failureOf(bench.daemon.service.start('one'))).toMatchObject({
    message: expect.stringContaining(`no ${step} today`),
  });
  expect([...bench.machine.mounted, ...bench.machine.namespaces, ...bench.machine.endpoints]).toEqual([]);
  bench.machine.failAt = undefined;
  await bench.daemon.service.start('one');
});

test('an --rm container that does not start goes, and its waiters hear of it', async () => {
  await bench.create('one', 'nosuch', { host: { autoRemove: true } });
  const removed = bench.exitOf('one', 'removed');
  await sleep(1);
  await failureOf(bench.daemon.service.start('one'));
  expect((await removed).exitCode).toBe(127);
  expect(await bench.listAll()).toEqual([]);
});

test('a start is on record and noted, and its streams are joined, before the command is let go', async () => {
  const id = await bench.create('one', 'sleep');
  const { runtime, notes } = bench.daemon;
  const start = runtime.start.bind(runtime);
  const seen: unknown[] = [];
  runtime.start = async (handle) => {
    const { active } = JSON.parse(bench.machine.db.rows.get(id) ?? '{}') as { active?: boolean };
    seen.push(active, (await notes.load()).has(id), ...runtime.calls.slice(-2));
    await start(handle);
  };
  await bench.daemon.service.start('one');
  expect(seen).toEqual([true, true, `create ${id}`, `attach ${id}`]);
});

test('an --rm is cleared away after its waiters were told', async () => {
  await bench.create('one', 'three', { host: { autoRemove: true } });
  const { result } = await bench.daemon.service.wait('one', 'removed', nowhere);
  await bench.daemon.service.start('one');
  expect((await result).exitCode).toBe(3);
  expect([bench.machine.tasks.tasks.size, bench.machine.namespaces.size]).toEqual([1, 1]);
  await bench.daemon.service.close();
  expect(bench.machine.leftovers()).toEqual([]);
});

test('prune takes what is wanted and does not run, and tells of it once', async () => {
  for (const name of ['ended', 'kept', 'running'])
    await bench.create(name, name === 'ended' ? 'three' : 'sleep');
  await runToEnd('ended');
  await bench.daemon.service.start('running');
  const { id } = await bench.daemon.service.inspect('ended');
  bench.daemon.events.length = 0;
  expect(await bench.daemon.service.prune(({ name }) => name !== 'kept', nowhere)).toEqual({
    deleted: [id],
    reclaimedBytes: 0,
  });
  expect(bench.daemon.events).toEqual(['destroy', 'prune']);
  expect((await bench.listAll()).map(({ name }) => name).sort()).toEqual(['kept', 'running']);
});

test('images hear of a container that is gone once its snapshot is', async () => {
  await bench.create('one', 'sleep');
  const { image } = await bench.daemon.service.inspect('one');
  await bench.daemon.service.remove('one', { force: false, volumes: false });
  await bench.daemon.service.close();
  expect([bench.machine.gone, bench.machine.snapshots.size]).toEqual([[image.id], 0]);
});

test.each([
  ['one', 'Renaming a container with the same name as its current name'],
  [
    'a b',
    'Error when allocating new name: Invalid container name (/a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
  ],
  ['two', 'Error when allocating new name: Conflict. The container name "/two" is already in use by'],
])('a rename to %p is refused as Docker does', async (name, message) => {
  await bench.create('one', 'sleep');
  await bench.create('two', 'sleep');
  expect(await failureOf(bench.daemon.service.rename('one', name))).toMatchObject({
    message: expect.stringContaining(message),
  });
});

test('no run ends before it began, whatever the date of its exit file', async () => {
  const wait = bench.daemon.runtime.wait.bind(bench.daemon.runtime);
  bench.daemon.runtime.wait = async (...args) => ({ ...(await wait(...args)), finishedAtNano: 1n });
  await bench.create('one', 'three');
  await runToEnd('one');
  const { startedAtNano, finishedAtNano } = await bench.stateOf('one');
  expect(finishedAtNano).toBe(startedAtNano);
});

test('a restart keeps an --rm container, which goes at the end of its new run', async () => {
  await bench.create('one', 'sleep', { host: { autoRemove: true } });
  await bench.daemon.service.start('one');
  const removed = bench.exitOf('one', 'removed');
  await bench.daemon.service.restart('one', { signal: undefined, timeoutSeconds: undefined });
  expect((await bench.stateOf('one')).status).toBe('running');
  await bench.daemon.service.kill('one', 'KILL');
  expect((await removed).exitCode).toBe(137);
  expect(await bench.listAll()).toEqual([]);
});

test('a failed start is no exit: who waits for the next one waits on', async () => {
  await bench.create('one', 'nosuch');
  const told: number[] = [];
  const next = bench.exitOf('one', 'next-exit').then(({ exitCode }) => told.push(exitCode));
  await sleep(1);
  await failureOf(bench.daemon.service.start('one'));
  await sleep(5);
  expect(told).toEqual([]);
  await bench.daemon.service.remove('one', { force: false, volumes: false });
  await next;
});

test('a filter on the exit code shows what is stopped only where all is asked for, one on the status always', async () => {
  await bench.create('one', 'three');
  await runToEnd('one');
  const names = async (all: boolean, ...filter: [string, string[]]) =>
    (await bench.daemon.service.list({ all, limit: undefined, size: false, filters: new Map([filter]) })).map(
      ({ name }) => name,
    );
  expect(await names(false, 'exited', ['3'])).toEqual([]);
  expect(await names(true, 'exited', ['3'])).toEqual(['one']);
  expect(await names(false, 'status', ['exited'])).toEqual(['one']);
});

test('state.db read-only: the start fails with its reason, nothing runs on, and it works again later', async () => {
  await bench.create('one', 'sleep');
  bench.machine.db.failing = true;
  expect(await failureOf(bench.daemon.service.start('one'))).toMatchObject({
    message: 'attempt to write a readonly database',
  });
  expect(bench.machine.tasks.tasks.size).toBe(0);
  bench.machine.db.failing = false;
  await bench.daemon.service.start('one');
});

test('a removal that fails leaves a container that can be removed', async () => {
  await bench.create('one', 'sleep');
  bench.machine.db.failing = true;
  await failureOf(bench.daemon.service.remove('one', { force: false, volumes: false }));
  expect((await bench.stateOf('one')).status).toBe('created');
  bench.machine.db.failing = false;
  await bench.daemon.service.remove('one', { force: false, volumes: false });
  expect(await bench.listAll()).toEqual([]);
});

test('an --rm whose record cannot be removed: waiters hear of it, the host is clean, rm works later', async () => {
  await bench.create('one', 'sleep', { host: { autoRemove: true } });
  await bench.daemon.service.start('one');
  const removed = bench.exitOf('one', 'removed');
  bench.machine.db.failing = true;
  await bench.daemon.service.kill('one', 'KILL');
  expect(await removed).toEqual({ exitCode: 137, error: 'attempt to write a readonly database' });
  await sleep(20);
  expect([
    ...bench.machine.mounted,
    ...bench.machine.namespaces,
    ...bench.machine.tasks.tasks.keys(),
  ]).toEqual([]);
  bench.machine.db.failing = false;
  await bench.daemon.service.remove('one', { force: false, volumes: false });
});

test.each(['remove', 'start'] as const)(
  'an exit that cannot be recorded: %s clears away what it left',
  async (next) => {
    await bench.create('one', 'sleep');
    await bench.daemon.service.start('one');
    const ended = bench.exitOf('one');
    bench.machine.db.failing = true;
    await bench.daemon.service.kill('one', 'TERM');
    expect((await ended).exitCode).toBe(143);
    await sleep(5);
    bench.machine.db.failing = false;
    if (next === 'start') await bench.daemon.service.start('one');
    await bench.daemon.service.remove('one', { force: true, volumes: false });
  },
);

test('a container whose log has filled the disk can be removed', async () => {
  const id = await bench.create('one', 'sleep');
  await bench.daemon.service.start('one');
  writeFileSync(bench.daemon.paths.log(id), 'endless');
  bench.machine.db.filledBy = bench.daemon.paths.log(id);
  await bench.daemon.service.remove('one', { force: true, volumes: false });
  expect(await bench.listAll()).toEqual([]);
});

test('a rename that an automatic removal overtakes keeps no name', async () => {
  await bench.create('one', 'sleep', { host: { autoRemove: true } });
  await bench.daemon.service.start('one');
  const removed = bench.exitOf('one', 'removed');
  const renamed = bench.daemon.service.rename('one', 'two').catch(() => undefined);
  await bench.daemon.service.kill('one', 'KILL').catch(() => undefined);
  await Promise.all([renamed, removed]);
  await bench.create('two', 'sleep');
  await bench.create('one', 'sleep');
});

test('a pause that a kill overtakes leaves no note of a task', async () => {
  await bench.create('one', 'sleep');
  await bench.daemon.service.start('one');
  const ended = bench.exitOf('one');
  const paused = bench.daemon.service.pause('one').catch(() => undefined);
  await bench.daemon.service.kill('one', 'KILL').catch(() => undefined);
  await Promise.all([paused, ended]);
  await sleep(20);
  expect([...(await bench.daemon.notes.load()).keys()]).toEqual([]);
});

test('log -f of a container that never ran ends', async () => {
  await bench.create('one', 'sleep');
  const follow = { stdout: true, stderr: true, follow: true };
  const request = { ...follow, sinceNano: undefined, untilNano: undefined, tail: undefined };
  const { batches } = await bench.daemon.service.logs('one', request, nowhere);
  expect(await Array.fromAsync(batches)).toEqual([]);
});

test('a name is free again once its container or its creation is gone', async () => {
  await bench.create('one', 'sleep');
  expect(await failureOf(bench.create('one', 'sleep'))).toMatchObject({ kind: 'conflict' });
  bench.machine.db.failing = true;
  await failureOf(bench.create('two', 'sleep'));
  bench.machine.db.failing = false;
  await bench.create('two', 'sleep');
});

test.each<[Partial<ContainerConfig>, Partial<HostOptions>]>([
  [{ hostname: 'a\n6.6.6.6 registry' }, {}],
  [{ domainname: 'a b' }, {}],
  [{}, { dns: ['1.1.1.1\nnameserver 6.6.6.6'] }],
  [{}, { dns: ['not-an-address'] }],
  [{}, { dnsSearch: ['a\nnameserver 6.6.6.6'] }],
  [{}, { dnsOptions: ['ndots:1\rx'] }],
  [{}, { extraHosts: ['a:1.2.3.4\n6.6.6.6 registry'] }],
])('no name brings lines of its own into hosts or resolv.conf: %p %p', async (config, host) => {
  expect(await failureOf(bench.create('one', 'sleep', { config, host }))).toMatchObject({ kind: 'invalid' });
});

test('servers, search domains and options as they are commonly given are taken', async () => {
  const dns = ['1.1.1.1', 'fe80::1%eth0', '2606:4700::1111'];
  const host = { dns, dnsSearch: ['.', 'corp.example'], dnsOptions: ['ndots:5', 'use-vc'] };
  await bench.create('one', 'sleep', { host, config: { hostname: 'web-1.x', domainname: 'example.com' } });
});

// As Docker 28.5, on a host without AppArmor: what was asked for is shown until the first start.
test('an AppArmor profile is shown as asked for, and then as it is', async () => {
  await bench.create('one', 'three', { host: { securityOpt: ['apparmor=first', 'apparmor:mine'] } });
  const profileOf = async () => (await bench.daemon.service.inspect('one')).appArmorProfile;
  expect(await profileOf()).toBe('mine');
  await runToEnd('one');
  expect(await profileOf()).toBe(apparmorProfile('mine', { privileged: false }) ?? '');
});
