import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { failureOf } from '../../test/support/failure-of.ts';
import type { FakeFunction, FakeProgram } from '../runtime/testing/fake-programs.ts';
import { catProgram, scripted, sleepProgram } from '../runtime/testing/fake-programs.ts';
import type { ContainerConfig, HostOptions } from './container.ts';
import type { AttachClient, WaitCondition } from './container-backend.ts';
import {
  bootDaemon,
  FakeMachine,
  type TestDaemon,
  testConfig,
  testEndpoint,
  testHost,
} from './testing/service-fixture.ts';

const stubborn: FakeFunction = (process) => {
  process.trap(() => undefined);
  return process.untilKilled();
};
const programs: Record<string, FakeProgram> = {
  sleep: sleepProgram,
  cat: catProgram,
  three: scripted({ stdout: 'out\n', exitCode: 3 }),
  stubborn,
  '/locked': 'not-executable',
};

let machine: FakeMachine;
let daemon: TestDaemon;
beforeEach(async () => {
  machine = new FakeMachine();
  daemon = await bootDaemon(machine, programs);
});
afterEach(async () => {
  machine.db.failing = false;
  for (const { id } of await listAll()) await daemon.service.remove(id, { force: true, volumes: false });
  await daemon.service.close();
  const left = machine.leftovers();
  const execRoot = readdirSync(machine.execRoot, { recursive: true, withFileTypes: true }).filter(
    (entry) => !['notes', 'rootfs', 'tasks'].includes(entry.name),
  );
  machine.remove();
  expect(left).toEqual([]);
  expect(execRoot.map(({ name }) => name)).toEqual([]);
});

const nowhere = { signal: new AbortController().signal };
const listAll = () =>
  daemon.service.list({ all: true, limit: undefined, size: false, filters: new Map<string, string[]>() });
const stateOf = async (name: string) => (await daemon.service.inspect(name)).state;
const reborn = async () => {
  daemon = await bootDaemon(machine, programs);
};

async function create(
  name: string,
  command: string,
  change: { config?: Partial<ContainerConfig>; host?: Partial<HostOptions> } = {},
): Promise<string> {
  const request = {
    name,
    config: testConfig(command, change.config),
    host: testHost(change.host),
    platform: undefined,
  };
  return (await daemon.service.create(request)).id;
}

async function exitOf(name: string, condition: WaitCondition = 'not-running') {
  return await (await daemon.service.wait(name, condition, nowhere)).result;
}

/** Starts and waits for the end. */
async function runToEnd(name: string) {
  const { result } = await daemon.service.wait(name, 'next-exit', nowhere);
  await daemon.service.start(name);
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
  return { seen, vanish, ended: daemon.service.attach(name, request, () => client) };
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  yield* [];
}
async function* typed(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

test('a run from create to remove, as events tell it', async () => {
  await create('one', 'three');
  expect((await stateOf('one')).status).toBe('created');
  expect(await runToEnd('one')).toEqual({ exitCode: 3, error: undefined });
  expect(await stateOf('one')).toMatchObject({ status: 'exited', exitCode: 3, pid: 0 });
  await daemon.service.remove('one', { force: false, volumes: false });
  expect(daemon.events).toEqual(['create', 'connect', 'start', 'disconnect', 'die', 'destroy']);
  expect(await failureOf(daemon.service.inspect('one'))).toMatchObject({ message: 'No such container: one' });
});

test('a creation holds its image from the look-up until it is recorded', async () => {
  const seen: [holds: number, records: number][] = [];
  machine.meanwhile = async () => void seen.push([machine.holds, machine.db.rows.size]);
  await create('one', 'three');
  expect([seen, machine.holds, machine.db.rows.size]).toEqual([[[1, 0]], 0, 1]);
  machine.db.failing = true;
  await failureOf(create('two', 'three'));
  expect([machine.holds, daemon.service.imageRoots().blobs.length]).toEqual([0, 3]);
});

test('an attached client has all output and is let go at the end; half-close ends the input', async () => {
  await create('one', 'cat', { config: { openStdin: true, stdinOnce: true } });
  const first = attachTo('one', typed('hello'));
  expect((await runToEnd('one')).exitCode).toBe(0);
  await first.ended;
  expect(first.seen.text).toBe('hello');
});

test('a client that vanishes before the start, or while it runs, holds up nothing', async () => {
  await create('one', 'sleep');
  const early = attachTo('one');
  early.vanish.abort();
  await early.ended;
  await daemon.service.start('one');
  const late = attachTo('one');
  const killed = daemon.service.kill('one', 'KILL');
  late.vanish.abort();
  await Promise.all([killed, late.ended]);
  expect((await exitOf('one')).exitCode).toBe(137);
});

test('a client attached to a container that is removed unstarted is let go', async () => {
  await create('one', 'sleep');
  const client = attachTo('one');
  await daemon.service.remove('one', { force: false, volumes: false });
  await client.ended;
});

test('wait: not-running answers at once, next-exit and removed when their time comes', async () => {
  await create('one', 'sleep', { host: { autoRemove: true } });
  expect(await exitOf('one')).toEqual({ exitCode: 0, error: undefined });
  const next = exitOf('one', 'next-exit');
  const removed = exitOf('one', 'removed');
  await daemon.service.start('one');
  await daemon.service.kill('one', 'TERM');
  expect([(await next).exitCode, (await removed).exitCode]).toEqual([143, 143]);
});

test('waiters of a container that is removed unstarted are woken', async () => {
  await create('one', 'sleep');
  const waits = [exitOf('one', 'next-exit'), exitOf('one', 'removed')];
  await sleep(1);
  await daemon.service.remove('one', { force: false, volumes: false });
  expect(await Promise.all(waits)).toHaveLength(2);
});

test('stop kills what does not heed it, after its time', async () => {
  await create('one', 'stubborn');
  await daemon.service.start('one');
  await daemon.service.stop('one', { signal: undefined, timeoutSeconds: 1 });
  expect(await stateOf('one')).toMatchObject({ status: 'exited', exitCode: 137 });
  expect(await failureOf(daemon.service.stop('one', { signal: undefined, timeoutSeconds: 1 }))).toMatchObject(
    {
      kind: 'not-modified',
    },
  );
});

const isStoppedOnDisk = (id: string) =>
  (JSON.parse(machine.db.rows.get(id) ?? '{}') as { stoppedByUser?: boolean }).stoppedByUser;
/** How many transactions `act` commits. */
async function commitsOf(act: () => Promise<void>): Promise<number> {
  const transact = machine.db.transact.bind(machine.db);
  let commits = 0;
  machine.db.transact = async (statements) => {
    commits++;
    await transact(statements);
  };
  await act();
  machine.db.transact = transact;
  return commits;
}
const stopAction = () => daemon.service.stop('one', { signal: undefined, timeoutSeconds: undefined });
const forceRemoval = () => daemon.service.remove('one', { force: true, volumes: false });
const killWith = (signal: string) => () => daemon.service.kill('one', signal);

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
    const id = await create('one', 'stubborn');
    await daemon.service.start('one');
    const seen: unknown[] = [];
    const sent = Promise.withResolvers<void>();
    daemon.runtime.kill = async () => {
      seen.push(isStoppedOnDisk(id));
      sent.resolve();
      return await new Promise<never>(() => undefined);
    };
    void act();
    await sent.promise;
    expect(seen).toEqual([expected]);
    await daemon.service.close();
    await reborn();
    await killWith('HUP')();
    expect((await stateOf('one')).status).toBe('running');
    const [task] = machine.tasks.tasks.values();
    const ended = exitOf('one');
    if (task !== undefined) await daemon.runtime.kill(task.handle, 9);
    await ended;
    await daemon.service.close();
    expect(isStoppedOnDisk(id)).toBe(expected);
    await reborn();
  },
);

test('a stop costs one commit before its exit, none for --rm, and a restart is no stop', async () => {
  await create('one', 'sleep');
  await daemon.service.start('one');
  expect(await commitsOf(stopAction)).toBe(2);
  await daemon.service.start('one');
  const restart = () => daemon.service.restart('one', { signal: undefined, timeoutSeconds: undefined });
  expect(await commitsOf(restart)).toBe(2);
  const { id } = await daemon.service.inspect('one');
  expect(isStoppedOnDisk(id)).toBe(false);
  await forceRemoval();
  await create('one', 'sleep', { host: { autoRemove: true } });
  await daemon.service.start('one');
  expect(await commitsOf(stopAction)).toBe(1);
});

test('a stop that cannot be recorded, or a signal that fails, is told or logged, and the word stands', async () => {
  const id = await create('one', 'sleep');
  await daemon.service.start('one');
  const kill = daemon.runtime.kill.bind(daemon.runtime);
  daemon.runtime.kill = () => Promise.reject(new Error('no signal today'));
  expect(await failureOf(stopAction())).toMatchObject({ message: 'no signal today' });
  expect([isStoppedOnDisk(id), (await stateOf('one')).status]).toEqual([true, 'running']);
  daemon.runtime.kill = kill;
  await stopAction();
  await daemon.service.start('one');
  expect(isStoppedOnDisk(id)).toBe(false);
  machine.db.failing = true;
  await stopAction();
  expect((await stateOf('one')).exitCode).toBe(143);
  expect(daemon.errors[0]).toContain('Cannot record that a container is to stop');
});

test('a stop without time-out holds up neither another stop nor rm -f', async () => {
  await create('one', 'stubborn');
  await daemon.service.start('one');
  const patient = daemon.service.stop('one', { signal: undefined, timeoutSeconds: -1 });
  await daemon.service.stop('one', { signal: undefined, timeoutSeconds: 0 });
  await patient;
  await daemon.service.start('one');
  const again = daemon.service.stop('one', { signal: undefined, timeoutSeconds: 10_000_000 });
  await daemon.service.remove('one', { force: true, volumes: false });
  await again;
});

test.each([
  ['nosuch', 127],
  ['/locked', 126],
])('%s: exit code, text, nothing left, and it may be tried again', async (command, exitCode) => {
  await create('one', command);
  for (let attempt = 0; attempt < 2; attempt++) {
    await failureOf(daemon.service.start('one'));
    expect(await stateOf('one')).toMatchObject({ exitCode, error: expect.stringContaining(command) });
  }
  expect([...machine.mounted, ...machine.namespaces, ...machine.tasks.tasks.keys()]).toEqual([]);
  expect(existsSync(`${daemon.paths.rootfsAll}/${(await daemon.service.inspect('one')).id}`)).toBe(false);
});

test.each(['mount', 'connect'] as const)('a start that fails at %s takes everything back', async (step) => {
  await create('one', 'sleep');
  machine.failAt = step;
  expect(await failureOf(daemon.service.start('one'))).toMatchObject({
    message: expect.stringContaining(`no ${step} today`),
  });
  expect([...machine.mounted, ...machine.namespaces, ...machine.endpoints]).toEqual([]);
  machine.failAt = undefined;
  await daemon.service.start('one');
});

test('an --rm container that does not start goes, and its waiters hear of it', async () => {
  await create('one', 'nosuch', { host: { autoRemove: true } });
  const removed = exitOf('one', 'removed');
  await sleep(1);
  await failureOf(daemon.service.start('one'));
  expect((await removed).exitCode).toBe(127);
  expect(await listAll()).toEqual([]);
});

test('a start is on record and noted, and its streams are joined, before the command is let go', async () => {
  const id = await create('one', 'sleep');
  const { runtime, notes } = daemon;
  const start = runtime.start.bind(runtime);
  const seen: unknown[] = [];
  runtime.start = async (handle) => {
    const { active } = JSON.parse(machine.db.rows.get(id) ?? '{}') as { active?: boolean };
    seen.push(active, (await notes.load()).has(id), ...runtime.calls.slice(-2));
    await start(handle);
  };
  await daemon.service.start('one');
  expect(seen).toEqual([true, true, `create ${id}`, `attach ${id}`]);
});

test('an --rm is cleared away after its waiters were told', async () => {
  await create('one', 'three', { host: { autoRemove: true } });
  const { result } = await daemon.service.wait('one', 'removed', nowhere);
  await daemon.service.start('one');
  expect((await result).exitCode).toBe(3);
  expect([machine.tasks.tasks.size, machine.namespaces.size]).toEqual([1, 1]);
  await daemon.service.close();
  expect(machine.leftovers()).toEqual([]);
});

test('prune takes what is wanted and does not run, and tells of it once', async () => {
  for (const name of ['ended', 'kept', 'running']) await create(name, name === 'ended' ? 'three' : 'sleep');
  await runToEnd('ended');
  await daemon.service.start('running');
  const { id } = await daemon.service.inspect('ended');
  daemon.events.length = 0;
  expect(await daemon.service.prune(({ name }) => name !== 'kept', nowhere)).toEqual({
    deleted: [id],
    reclaimedBytes: 0,
  });
  expect(daemon.events).toEqual(['destroy', 'prune']);
  expect((await listAll()).map(({ name }) => name).sort()).toEqual(['kept', 'running']);
});

test('images hear of a container that is gone once its snapshot is', async () => {
  await create('one', 'sleep');
  const { image } = await daemon.service.inspect('one');
  await daemon.service.remove('one', { force: false, volumes: false });
  await daemon.service.close();
  expect([machine.gone, machine.snapshots.size]).toEqual([[image.id], 0]);
});

test.each([
  ['one', 'Renaming a container with the same name as its current name'],
  [
    'a b',
    'Error when allocating new name: Invalid container name (/a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
  ],
  ['two', 'Error when allocating new name: Conflict. The container name "/two" is already in use by'],
])('a rename to %p is refused as Docker does', async (name, message) => {
  await create('one', 'sleep');
  await create('two', 'sleep');
  expect(await failureOf(daemon.service.rename('one', name))).toMatchObject({
    message: expect.stringContaining(message),
  });
});

test('no run ends before it began, whatever the date of its exit file', async () => {
  const wait = daemon.runtime.wait.bind(daemon.runtime);
  daemon.runtime.wait = async (...args) => ({ ...(await wait(...args)), finishedAtNano: 1n });
  await create('one', 'three');
  await runToEnd('one');
  const { startedAtNano, finishedAtNano } = await stateOf('one');
  expect(finishedAtNano).toBe(startedAtNano);
});

test('a restart keeps an --rm container, which goes at the end of its new run', async () => {
  await create('one', 'sleep', { host: { autoRemove: true } });
  await daemon.service.start('one');
  const removed = exitOf('one', 'removed');
  await daemon.service.restart('one', { signal: undefined, timeoutSeconds: undefined });
  expect((await stateOf('one')).status).toBe('running');
  await daemon.service.kill('one', 'KILL');
  expect((await removed).exitCode).toBe(137);
  expect(await listAll()).toEqual([]);
});

test('a failed start is no exit: who waits for the next one waits on', async () => {
  await create('one', 'nosuch');
  const told: number[] = [];
  const next = exitOf('one', 'next-exit').then(({ exitCode }) => told.push(exitCode));
  await sleep(1);
  await failureOf(daemon.service.start('one'));
  await sleep(5);
  expect(told).toEqual([]);
  await daemon.service.remove('one', { force: false, volumes: false });
  await next;
});

test('a filter on the exit code shows what is stopped only where all is asked for, one on the status always', async () => {
  await create('one', 'three');
  await runToEnd('one');
  const names = async (all: boolean, ...filter: [string, string[]]) =>
    (await daemon.service.list({ all, limit: undefined, size: false, filters: new Map([filter]) })).map(
      ({ name }) => name,
    );
  expect(await names(false, 'exited', ['3'])).toEqual([]);
  expect(await names(true, 'exited', ['3'])).toEqual(['one']);
  expect(await names(false, 'status', ['exited'])).toEqual(['one']);
});

test('state.db read-only: the start fails with its reason, nothing runs on, and it works again later', async () => {
  await create('one', 'sleep');
  machine.db.failing = true;
  expect(await failureOf(daemon.service.start('one'))).toMatchObject({
    message: 'attempt to write a readonly database',
  });
  expect(machine.tasks.tasks.size).toBe(0);
  machine.db.failing = false;
  await daemon.service.start('one');
});

test('a removal that fails leaves a container that can be removed', async () => {
  await create('one', 'sleep');
  machine.db.failing = true;
  await failureOf(daemon.service.remove('one', { force: false, volumes: false }));
  expect((await stateOf('one')).status).toBe('created');
  machine.db.failing = false;
  await daemon.service.remove('one', { force: false, volumes: false });
  expect(await listAll()).toEqual([]);
});

test('an --rm whose record cannot be removed: waiters hear of it, the host is clean, rm works later', async () => {
  await create('one', 'sleep', { host: { autoRemove: true } });
  await daemon.service.start('one');
  const removed = exitOf('one', 'removed');
  machine.db.failing = true;
  await daemon.service.kill('one', 'KILL');
  expect(await removed).toEqual({ exitCode: 137, error: 'attempt to write a readonly database' });
  await sleep(20);
  expect([...machine.mounted, ...machine.namespaces, ...machine.tasks.tasks.keys()]).toEqual([]);
  machine.db.failing = false;
  await daemon.service.remove('one', { force: false, volumes: false });
});

test.each(['remove', 'start'] as const)(
  'an exit that cannot be recorded: %s clears away what it left',
  async (next) => {
    await create('one', 'sleep');
    await daemon.service.start('one');
    const ended = exitOf('one');
    machine.db.failing = true;
    await daemon.service.kill('one', 'TERM');
    expect((await ended).exitCode).toBe(143);
    await sleep(5);
    machine.db.failing = false;
    if (next === 'start') await daemon.service.start('one');
    await daemon.service.remove('one', { force: true, volumes: false });
  },
);

test('a container whose log has filled the disk can be removed', async () => {
  const id = await create('one', 'sleep');
  await daemon.service.start('one');
  writeFileSync(daemon.paths.log(id), 'endless');
  machine.db.filledBy = daemon.paths.log(id);
  await daemon.service.remove('one', { force: true, volumes: false });
  expect(await listAll()).toEqual([]);
});

test('a rename that an automatic removal overtakes keeps no name', async () => {
  await create('one', 'sleep', { host: { autoRemove: true } });
  await daemon.service.start('one');
  const removed = exitOf('one', 'removed');
  const renamed = daemon.service.rename('one', 'two').catch(() => undefined);
  await daemon.service.kill('one', 'KILL').catch(() => undefined);
  await Promise.all([renamed, removed]);
  await create('two', 'sleep');
  await create('one', 'sleep');
});

test('a pause that a kill overtakes leaves no note of a task', async () => {
  await create('one', 'sleep');
  await daemon.service.start('one');
  const ended = exitOf('one');
  const paused = daemon.service.pause('one').catch(() => undefined);
  await daemon.service.kill('one', 'KILL').catch(() => undefined);
  await Promise.all([paused, ended]);
  await sleep(20);
  expect([...(await daemon.notes.load()).keys()]).toEqual([]);
});

test('log -f of a container that never ran ends', async () => {
  await create('one', 'sleep');
  const follow = { stdout: true, stderr: true, follow: true };
  const request = { ...follow, sinceNano: undefined, untilNano: undefined, tail: undefined };
  const { lines } = await daemon.service.logs('one', request, nowhere);
  expect(await Array.fromAsync(lines)).toEqual([]);
});

test('a name is free again once its container or its creation is gone', async () => {
  await create('one', 'sleep');
  expect(await failureOf(create('one', 'sleep'))).toMatchObject({ kind: 'conflict' });
  machine.db.failing = true;
  await failureOf(create('two', 'sleep'));
  machine.db.failing = false;
  await create('two', 'sleep');
});

test('recovery: what runs runs on and is followed; the exit of what ended meanwhile is known', async () => {
  await create('one', 'sleep');
  await create('two', 'sleep');
  await daemon.service.start('one');
  await daemon.service.start('two');
  await daemon.service.close();
  const task = [...machine.tasks.tasks.values()].at(1);
  if (task !== undefined) await daemon.runtime.kill(task.handle, 15);
  await reborn();
  expect((await exitOf('two')).exitCode).toBe(143);
  expect((await stateOf('one')).status).toBe('running');
  await daemon.service.kill('one', 'KILL');
  expect((await exitOf('one')).exitCode).toBe(137);
});

test('recovery: a task on several networks keeps every endpoint, in inspect and in events, and leaves them all', async () => {
  const id = await create('one', 'sleep');
  await daemon.service.start('one');
  const note = (await daemon.notes.load()).get(id);
  await daemon.service.close();
  const second = testEndpoint(id, 'second');
  machine.endpoints.add(second.endpointId);
  if (note !== undefined) daemon.notes.write(id, { ...note, endpoints: [...note.endpoints, second] });
  await reborn();
  await daemon.service.pause('one');
  await daemon.service.unpause('one');
  expect((await daemon.service.inspect('one')).endpoints).toMatchObject([
    { networkName: 'bridge', endpointId: `endpoint of ${id} on bridge`, ipv4Address: '10.9.8.2' },
    { networkName: 'second', endpointId: second.endpointId, ipv4Address: '10.9.8.2' },
  ]);
  expect([...machine.endpoints]).toEqual([`endpoint of ${id} on bridge`, second.endpointId]);
  expect((await daemon.notes.load()).get(id)?.endpoints).toHaveLength(2);
  await stopAction();
  await daemon.service.close();
  expect(daemon.events.filter((action) => action === 'disconnect')).toHaveLength(2);
  expect([...machine.endpoints]).toEqual([]);
  expect((await daemon.service.inspect('one')).endpoints).toMatchObject([{ networkName: 'bridge' }]);
});

test.each([[true], [false]])(
  'recovery: a note of the version before, with an endpoint: %p',
  async (joined) => {
    const id = await create('one', 'sleep');
    await daemon.service.start('one');
    const note = (await daemon.notes.load()).get(id);
    await daemon.service.close();
    const { endpoints = [], ...rest } = note ?? {};
    const old = joined ? { ...rest, endpoint: endpoints[0] } : rest;
    writeFileSync(join(daemon.paths.notes, `${id}.json`), JSON.stringify(old));
    await reborn();
    expect(await stateOf('one')).toMatchObject({ status: 'running' });
    expect([...machine.endpoints]).toEqual(joined ? [`endpoint of ${id} on bridge`] : []);
    expect((await daemon.service.inspect('one')).endpoints).toMatchObject([
      { networkName: 'bridge', endpointId: joined ? `endpoint of ${id} on bridge` : '' },
    ]);
  },
);

test('a start has its note before it is on disk, so that no death of the daemon leaves it without one', async () => {
  const id = await create('one', 'sleep');
  const noted: boolean[] = [];
  const transact = machine.db.transact.bind(machine.db);
  machine.db.transact = async (statements) => {
    if (statements.some(({ params }) => params?.some((value) => String(value).includes('"active":true'))))
      noted.push(existsSync(join(daemon.paths.notes, `${id}.json`)));
    await transact(statements);
  };
  await daemon.service.start('one');
  expect(noted).toEqual([true]);
});

test('recovery: an exit on disk is not guessed anew when the daemon died before its note went', async () => {
  const id = await create('one', 'sleep');
  await daemon.service.start('one');
  const note = (await daemon.notes.load()).get(id);
  const ended = exitOf('one');
  await daemon.service.kill('one', 'TERM');
  await ended;
  await daemon.service.close();
  if (note !== undefined) daemon.notes.write(id, note);
  await reborn();
  expect(await stateOf('one')).toMatchObject({ status: 'exited', exitCode: 143, error: '' });
});

test('recovery: a task whose start is not on disk is killed, and nobody has started the container', async () => {
  const id = await create('one', 'sleep');
  const before = machine.db.rows.get(id) ?? '';
  await daemon.service.start('one');
  await daemon.service.close();
  machine.db.rows.set(id, before);
  await reborn();
  expect(await stateOf('one')).toMatchObject({ status: 'created', exitCode: 0, error: '' });
  expect([...machine.tasks.tasks.keys(), ...machine.namespaces, ...machine.mounted]).toEqual([]);
  expect((await daemon.notes.load()).size).toBe(0);
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
  expect(await failureOf(create('one', 'sleep', { config, host }))).toMatchObject({ kind: 'invalid' });
});

test('servers, search domains and options as they are commonly given are taken', async () => {
  const dns = ['1.1.1.1', 'fe80::1%eth0', '2606:4700::1111'];
  const host = { dns, dnsSearch: ['.', 'corp.example'], dnsOptions: ['ndots:5', 'use-vc'] };
  await create('one', 'sleep', { host, config: { hostname: 'web-1.x', domainname: 'example.com' } });
});
