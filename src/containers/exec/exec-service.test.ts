import { expect, test } from 'bun:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { failureOf } from '../../../test/support/failure-of.ts';
import type { AttachClient } from '../container-backend.ts';
import { ServiceBench } from '../testing/service-bench.ts';
import type { ExecConfig } from './exec-backend.ts';

const bench = new ServiceBench();

function config(command: string, change: Partial<ExecConfig> = {}): ExecConfig {
  return {
    command: command.split(' '),
    env: [],
    user: '',
    workingDir: '',
    privileged: false,
    tty: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    detachKeys: new Uint8Array(),
    consoleSize: undefined,
    ...change,
  };
}

interface Seen {
  text: string;
  client: AttachClient;
  vanish: AbortController;
}

function clientOf(stdin: AsyncIterable<Uint8Array> = typed()): Seen {
  const vanish = new AbortController();
  const seen: Seen = {
    text: '',
    vanish,
    client: {
      stdin,
      signal: vanish.signal,
      write: async (_stream, data) => {
        seen.text += Buffer.from(data).toString();
      },
    },
  };
  return seen;
}

async function* typed(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function* typedAndOpen(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
  await new Promise(() => undefined);
}

async function running(name = 'box'): Promise<string> {
  const id = await bench.create(name, 'sleep');
  await bench.daemon.service.start(name);
  bench.daemon.events.length = 0;
  return id;
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let waited = 0; !isTrue() && waited < 5000; waited += 5) await sleep(5);
  expect(isTrue()).toBe(true);
}

test('an exec from creation to its end, as events and inspect tell it', async () => {
  const containerId = await running();
  const { execs } = bench.daemon.service;
  const id = await execs.createExec('box', config('three now'));
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  expect(execs.inspectExec(id)).toMatchObject({
    id,
    containerId,
    running: false,
    exitCode: undefined,
    pid: 0,
  });
  expect((await bench.daemon.service.inspect('box')).execIds).toEqual([id]);
  const seen = clientOf();
  await execs.startExec(id, {}, () => seen.client);
  expect(seen.text).toBe('out\n');
  expect(execs.inspectExec(id)).toMatchObject({ running: false, exitCode: 3, pid: expect.any(Number) });
  expect((await bench.daemon.service.inspect('box')).execIds).toEqual([]);
  await until(() => bench.daemon.events.includes('exec_die'));
  expect(bench.daemon.events).toEqual(['exec_create: three now', 'exec_start: three now', 'exec_die']);
  expect(bench.machine.tasks.execs.all.size).toBe(0);
});

test('what is typed comes back, and its end ends the process', async () => {
  await running();
  const { execs } = bench.daemon.service;
  const id = await execs.createExec('box', config('cat', { attachStdin: true }));
  const seen = clientOf(typed('one ', 'two'));
  await execs.startExec(id, {}, () => seen.client);
  expect(seen.text).toBe('one two');
  expect(execs.inspectExec(id).exitCode).toBe(0);
});

test('a client that vanishes, or types the detach keys, leaves the process running', async () => {
  await running();
  const { execs } = bench.daemon.service;
  const [first, second] = [
    await execs.createExec('box', config('cat', { attachStdin: true })),
    await execs.createExec(
      'box',
      config('cat', { attachStdin: true, tty: true, detachKeys: Uint8Array.of(1, 2) }),
    ),
  ];
  const gone = clientOf(typedAndOpen('x'));
  const ended = execs.startExec(first, {}, () => gone.client);
  await until(() => gone.text === 'x');
  gone.vanish.abort();
  await ended;
  await execs.startExec(second, {}, () => clientOf(typedAndOpen('y\u0001\u0002')).client);
  expect(bench.daemon.events).toContain('exec_detach');
  for (const id of [first, second]) expect(execs.inspectExec(id)).toMatchObject({ running: true });
});

test('who has no more to say to a terminal leaves it', async () => {
  await running();
  const { execs } = bench.daemon.service;
  const id = await execs.createExec('box', config('cat', { attachStdin: true, tty: true }));
  await execs.startExec(id, {}, () => clientOf(typed('x')).client);
  expect(execs.inspectExec(id).running).toBe(true);
  await execs.resizeExec(id, { columns: 100, rows: 40 });
  expect(bench.daemon.runtime.calls).toContain(`resizeExec 100x40 ${id}`);
});

test('refusals in words of Docker', async () => {
  const containerId = await running();
  const { service } = bench.daemon;
  const { execs } = service;
  const words = async (work: Promise<unknown>) => {
    const { kind, message } = (await failureOf(work)) as unknown as { kind: string; message: string };
    return [kind, message];
  };
  const create = () => execs.createExec('box', config('sleep'));
  expect(await words(execs.createExec('nope', config('x')))).toEqual([
    'not-found',
    'No such container: nope',
  ]);
  expect(await words(execs.createExec('box', config('x', { user: 'ghost' })))).toEqual([
    'invalid',
    'unable to find user ghost: no matching entries in passwd file',
  ]);
  expect(await words(execs.startExec('abc', {}, undefined))).toEqual([
    'not-found',
    'No such exec instance: abc',
  ]);
  const id = await create();
  await execs.startExec(id, {}, undefined);
  expect(await words(execs.startExec(id, {}, undefined))).toEqual([
    'conflict',
    `exec command ${id} is already running`,
  ]);
  const idle = await create();
  await service.pause('box');
  expect(await words(create())).toEqual([
    'conflict',
    'Container box is paused, unpause the container before exec',
  ]);
  expect(await words(execs.startExec(idle, {}, undefined))).toEqual([
    'conflict',
    `Container ${containerId} is paused, unpause the container before exec`,
  ]);
  await service.unpause('box');
  await service.kill('box', 'KILL');
  await service
    .wait('box', 'not-running', { signal: new AbortController().signal })
    .then(({ result }) => result);
  expect(await words(create())).toEqual(['conflict', `container ${containerId} is not running`]);
  expect(await words(execs.startExec(idle, {}, undefined))).toEqual([
    'not-found',
    `No such exec instance: ${idle}`,
  ]);
  await until(() => execs.inspectExec(id).exitCode === 137);
  expect(await words(execs.resizeExec(id, { columns: 1, rows: 1 }))).toEqual([
    'conflict',
    `container ${containerId} is not running`,
  ]);
  await service.remove('box', { force: false, volumes: false });
  expect(() => execs.inspectExec(id)).toThrow(`No such exec instance: ${id}`);
});

test('a command that is not there: 127 to inspect, and no end that had no beginning', async () => {
  await running();
  const { execs } = bench.daemon.service;
  for (const [command, exitCode] of [
    ['nosuch', 127],
    ['/locked', 126],
  ] as const) {
    const id = await execs.createExec('box', config(command));
    expect(await failureOf(execs.startExec(id, {}, () => clientOf().client))).toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('OCI runtime exec failed: exec failed: '),
    });
    expect(execs.inspectExec(id)).toMatchObject({ running: false, exitCode, pid: 0 });
    expect(await failureOf(execs.startExec(id, {}, undefined))).toMatchObject({
      message: `exec command ${id} has already run`,
    });
  }
  expect(bench.daemon.events).not.toContain('exec_die');
});

test('a stopped container: running execs end with it, and tell so', async () => {
  await running();
  const { service, events } = bench.daemon;
  const id = await service.execs.createExec('box', config('sleep'));
  const seen = clientOf(typedAndOpen(''));
  const attached = service.execs.startExec(id, {}, () => seen.client);
  await until(() => service.execs.inspectExec(id).pid > 0);
  await service.stop('box', { signal: 'KILL', timeoutSeconds: 0 });
  await attached;
  expect(service.execs.inspectExec(id)).toMatchObject({ running: false, exitCode: 137 });
  await until(() => events.includes('exec_die'));
});

test('the next daemon follows execs that run, knows the code of those that end, and ends nobody', async () => {
  const containerId = await running();
  const id = await bench.daemon.service.execs.createExec('box', config('sleep', { user: '0' }));
  await bench.daemon.service.execs.startExec(id, {}, undefined);
  const before = bench.daemon.service.execs.inspectExec(id);
  await bench.daemon.service.close();
  await bench.reboot();
  const { execs } = bench.daemon.service;
  expect(execs.inspectExec(id)).toEqual({ ...before, containerId });
  expect((await bench.daemon.service.inspect('box')).execIds).toEqual([id]);
  const exec = bench.machine.tasks.execs.all.get(id);
  exec?.process.signal(15);
  await until(() => execs.inspectExec(id).exitCode === 143);
  await until(() => bench.machine.tasks.execs.all.size === 0);
  expect(bench.daemon.events).toContain('exec_die');
});
