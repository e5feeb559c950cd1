import { afterEach, beforeEach, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runChecked } from '../../sys/spawn.ts';
import type { TaskHandle, TaskRequest } from '../runtime.ts';
import { conformancePrograms, runRequest } from '../testing/conformance.ts';
import { openRealSubject, type RealSubject } from '../testing/real-subject.ts';
import { ConmonRuntime } from './conmon-runtime.ts';
import { letGoOn, startByFifo, waitsAtFifo } from './exec-fifo.ts';

const signal = new AbortController().signal;
let subject: RealSubject;

beforeEach(async () => {
  subject = await openRealSubject('crun');
});

afterEach(async () => {
  await subject.close();
});

/** The sub-commands that crun is called with: it stands behind a script that writes them down. */
async function callsOf(options: { proven: boolean; request?: TaskRequest }): Promise<string[]> {
  const { directory, probed, cgroupParent } = subject;
  const [path, log] = [join(directory, 'recorder'), join(directory, 'calls')];
  writeFileSync(path, `#!/bin/sh\necho "$2" >>${log}\nexec ${probed.binary.path} "$@"\n`);
  chmodSync(path, 0o755);
  writeFileSync(log, '');
  const filter = await probed.trySeccompFilter();
  const runtime = new ConmonRuntime({
    directory: join(directory, 'rt'),
    probed: {
      ...probed,
      binary: { ...probed.binary, path },
      trySeccompFilter: async () => (options.proven ? filter : undefined),
    },
    cgroupParent,
  });
  await runtime.warm();
  const request = options.request ?? subject.request(conformancePrograms.echo);
  const { output } = await runRequest({ ...subject, runtime }, request);
  expect(output.stdout).toBe('hi\n');
  await runtime.close();
  return readFileSync(log, 'utf8').trim().split('\n');
}

test('a proven binary makes the container, and starting and deleting it take no process', async () => {
  expect(await callsOf({ proven: true })).toEqual(['create']);
});

test('any other binary is called for each step', async () => {
  expect(await callsOf({ proven: false })).toEqual(['create', 'start', 'delete']);
});

test('hooks are left to the runtime', async () => {
  const request = subject.request(conformancePrograms.echo);
  const mark = join(subject.directory, 'hooked');
  // Who does not read the state from its stdin may kill crun by SIGPIPE.
  const hooks = {
    poststart: [{ path: '/bin/sh', args: ['sh', '-c', `cat >/dev/null; echo started >${mark}`] }],
  };
  const spec = { ...request.spec, hooks };
  expect(await callsOf({ proven: true, request: { ...request, spec } })).toEqual([
    'create',
    'start',
    'delete',
  ]);
  expect(readFileSync(mark, 'utf8')).toBe('started\n');
});

test('startByFifo() does nothing where no init waits', async () => {
  const handle = await created();
  const state = join(subject.directory, 'crun');
  expect(waitsAtFifo(state, handle.id.containerId)).toBe(true);
  process.kill(handle.pid, 'SIGKILL');
  await subject.runtime.wait(handle, { signal });
  expect(startByFifo(state, handle.id.containerId)).toBe(false);
  expect(waitsAtFifo(state, handle.id.containerId)).toBe(true);
  expect(startByFifo(state, 'absent')).toBe(false);
  await subject.runtime.remove(handle);
});

test('a container that was let go is a running one to crun', async () => {
  const handle = await created();
  const state = join(subject.directory, 'crun');
  expect(startByFifo(state, handle.id.containerId)).toBe(true);
  expect([waitsAtFifo(state, handle.id.containerId), startByFifo(state, handle.id.containerId)]).toEqual([
    false,
    false,
  ]);
  await subject.runtime.pause(handle);
  await subject.runtime.resume(handle);
  await subject.runtime.remove(handle);
});

test('recover() sees that a container was let go though the daemon died before it took the fifo away', async () => {
  const handle = await created();
  const state = join(subject.directory, 'crun');
  const fifo = join(state, handle.id.containerId, 'exec.fifo');
  expect(startByFifo(state, handle.id.containerId)).toBe(true);
  expect(spawnSync('mkfifo', [fifo]).status).toBe(0);
  const next = await subject.reopen();
  await next.recover([handle]);
  expect(waitsAtFifo(state, handle.id.containerId)).toBe(false);
  await next.pause(handle);
  await next.resume(handle);
  await next.remove(handle);
});

async function created(): Promise<TaskHandle> {
  return await subject.runtime.create(subject.request(conformancePrograms.sleep), { signal });
}

test('an init that is still on its way to its fifo is let go when it comes there, and one that runs has none', async () => {
  const state = mkdtempSync(join(tmpdir(), 'sampan-fifo-'));
  try {
    mkdirSync(join(state, 'late'));
    const path = join(state, 'late/exec.fifo');
    await runChecked(['mkfifo', path]);
    const late = sleep(200).then(() => runChecked(['head', '-c', '1', path]));
    let looks = 0;
    await letGoOn(state, 'late', () => ++looks > 0);
    expect([(await late).stdout, existsSync(path), looks > 3]).toEqual(['\0', false, true]);
    await runChecked(['mkfifo', path]);
    await letGoOn(state, 'late', () => false);
    expect(existsSync(path)).toBe(false);
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
});
