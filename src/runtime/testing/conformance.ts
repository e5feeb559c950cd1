import { describe, expect, test } from 'bun:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../../errors/engine-error.ts';
import type { TaskExit, TaskHandle, TaskRequest } from '../runtime.ts';
import { describeExecs } from './exec-conformance.ts';
import {
  collect,
  conformancePrograms,
  expectKind,
  type RuntimeSubject,
  rejection,
  started,
  textOf,
} from './runtime-subject.ts';

export { collect, conformancePrograms, type RuntimeSubject, rejection } from './runtime-subject.ts';

const signal = new AbortController().signal;
const FLOOD_BYTES = 5_000_000;

/** Every Runtime, fake or real, passes this. `open` is called once per test, `close` after it. */
export function describeRuntime(
  name: string,
  open: () => Promise<RuntimeSubject & { close(): Promise<void> }>,
): void {
  const check = (title: string, body: (subject: RuntimeSubject) => Promise<void>): void => {
    test(title, async () => {
      const subject = await open();
      try {
        await body(subject);
      } finally {
        await subject.close();
      }
    });
  };

  describe(`${name}: output and exit`, () => {
    check('no byte is lost when attached before start', async (subject) => {
      const { output, exit } = await runWhole(subject, conformancePrograms.echo);
      expect(output).toEqual({ stdout: 'hi\n', stderr: '' });
      expect(exit).toMatchObject({ exitCode: 0, oomKilled: false });
      expect(exit.error).toBeUndefined();
    });

    check('stdout, stderr and the exit code are told apart', async (subject) => {
      const { output, exit } = await runWhole(subject, conformancePrograms.both);
      expect(output).toEqual({ stdout: 'out\n', stderr: 'err\n' });
      expect(exit.exitCode).toBe(3);
    });

    check('five million bytes come whole', async (subject) => {
      const { output, exit } = await runWhole(subject, conformancePrograms.flood);
      expect(output.stdout.length).toBe(FLOOD_BYTES);
      expect(/^x*$/.test(output.stdout)).toBe(true);
      expect(exit.exitCode).toBe(0);
    });

    check('the time of exit lies between start and now', async (subject) => {
      const before = BigInt(Date.now() - 1000) * 1_000_000n;
      const { exit } = await runWhole(subject, conformancePrograms.echo);
      expect(exit.finishedAtNano > before).toBe(true);
      expect(exit.finishedAtNano < BigInt(Date.now() + 1000) * 1_000_000n).toBe(true);
    });
  });

  describe(`${name}: stdin`, () => {
    check('what is written comes back, and its end ends the task', async (subject) => {
      const { runtime } = subject;
      const handle = await runtime.create(subject.request(conformancePrograms.cat, { stdin: true }), {
        signal,
      });
      const streams = await runtime.attach(handle);
      const output = collect(streams);
      await runtime.start(handle);
      const sent = 'line\n'.repeat(40_000);
      await streams.write(Buffer.from(sent));
      await streams.closeStdin();
      expect((await runtime.wait(handle, { signal })).exitCode).toBe(0);
      expect((await output).stdout).toBe(sent);
      await runtime.remove(handle);
    });

    check('write() refuses when the task has no stdin, and when it has ended', async (subject) => {
      const { runtime } = subject;
      const handle = await runtime.create(subject.request(conformancePrograms.echo), { signal });
      const streams = await runtime.attach(handle);
      const output = collect(streams);
      await expectKind(streams.write(Buffer.from('x')), 'conflict');
      await runtime.start(handle);
      await runtime.wait(handle, { signal });
      await output;
      await expectKind(streams.write(Buffer.from('x')), 'conflict');
      await runtime.remove(handle);
    });
  });

  describe(`${name}: limits`, () => {
    check('update() of a task that runs, and of one that has ended', async (subject) => {
      const { runtime } = subject;
      const handle = await started(subject, conformancePrograms.sleep);
      await runtime.update(handle, { pids: { limit: 50 }, cpu: { shares: 512 } });
      expect(runtime.isPaused(handle)).toBe(false);
      await runtime.pause(handle);
      expect(runtime.isPaused(handle)).toBe(true);
      await runtime.update(handle, { pids: { limit: -1 } });
      await runtime.resume(handle);
      expect(runtime.isPaused(handle)).toBe(false);
      await runtime.pause(handle);
      await runtime.kill(handle, 9);
      await runtime.wait(handle, { signal });
      expect(runtime.isPaused(handle)).toBe(false);
      await expectKind(runtime.update(handle, { pids: { limit: 50 } }), 'conflict');
      await runtime.remove(handle);
    });
  });

  describe(`${name}: signals`, () => {
    check('a signal ends the task with 128 plus its number', async (subject) => {
      const { runtime } = subject;
      const handle = await started(subject, conformancePrograms.sleep);
      await runtime.kill(handle, 9);
      expect((await runtime.wait(handle, { signal })).exitCode).toBe(137);
      await expectKind(runtime.kill(handle, 9), 'conflict');
      await runtime.remove(handle);
    });

    check('a task may catch a signal', async (subject) => {
      const { runtime } = subject;
      const handle = await runtime.create(subject.request(conformancePrograms.trap), { signal });
      const streams = await runtime.attach(handle);
      const output = streams.output()[Symbol.asyncIterator]();
      await runtime.start(handle);
      await output.next();
      await runtime.kill(handle, 15);
      await output.next();
      expect((await runtime.wait(handle, { signal })).exitCode).toBe(7);
      await runtime.remove(handle);
    });

    check('a paused task can be killed', async (subject) => {
      const { runtime } = subject;
      const handle = await started(subject, conformancePrograms.sleep);
      await runtime.pause(handle);
      await runtime.kill(handle, 9);
      expect((await runtime.wait(handle, { signal })).exitCode).toBe(137);
      await runtime.remove(handle);
    });

    check('processes() lists the init', async (subject) => {
      const handle = await started(subject, conformancePrograms.sleep);
      expect(await subject.runtime.processes(handle)).toContain(handle.pid);
      await subject.runtime.remove(handle);
    });
  });

  describe(`${name}: create that fails`, () => {
    const failures = [
      [
        conformancePrograms.missing,
        'command-not-found',
        'exec: "nosuch": executable file not found in $PATH',
      ],
      [
        conformancePrograms.missingPath,
        'command-not-found',
        'exec: "/nosuch": stat /nosuch: no such file or directory',
      ],
      [conformancePrograms.notExecutable, 'command-not-executable', 'exec: "/etc/plain": permission denied'],
    ] as const;
    for (const [args, code, words] of failures) {
      check(`${args[0]}: Docker's words and code, and nothing is left`, async (subject) => {
        const request = subject.request(args);
        const error = await rejection(subject.runtime.create(request, { signal }));
        expect(error).toBeInstanceOf(EngineError);
        expect(error).toMatchObject({ kind: 'invalid', code });
        expect((error as Error).message).toBe(
          'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: ' +
            `unable to start container process: error during container init: ${words}`,
        );
        expect(await subject.leftovers(request)).toEqual([]);
      });
    }

    check(
      'a spec that is still in the making is awaited; when it fails, so does the call, and nothing is left',
      async (subject) => {
        const { runtime } = subject;
        const request = subject.request(conformancePrograms.echo);
        const late = sleep(50).then(() => request.spec);
        const handle = await runtime.create({ ...request, spec: late }, { signal });
        await runtime.start(handle);
        expect((await runtime.wait(handle, { signal })).exitCode).toBe(0);
        await runtime.remove(handle);
        const other = subject.request(conformancePrograms.echo);
        const failing = sleep(50).then(() => Promise.reject(new Error('no spec')));
        const error = await rejection(runtime.create({ ...other, spec: failing }, { signal }));
        expect(error).toMatchObject({ message: 'no spec' });
        expect([...(await subject.leftovers(request)), ...(await subject.leftovers(other))]).toEqual([]);
      },
    );

    check('an aborted create rejects with the reason and leaves nothing', async (subject) => {
      const request = subject.request(conformancePrograms.sleep);
      const abort = new AbortController();
      const creating = rejection(subject.runtime.create(request, { signal: abort.signal }));
      abort.abort(new Error('enough'));
      expect(await creating).toMatchObject({ message: 'enough' });
      expect(await subject.leftovers(request)).toEqual([]);
    });
  });

  describe(`${name}: remove`, () => {
    check('a created task that was never started is killed', async (subject) => {
      const request = subject.request(conformancePrograms.sleep);
      const handle = await subject.runtime.create(request, { signal });
      await subject.runtime.remove(handle);
      expect(await subject.leftovers(request)).toEqual([]);
    });

    check('a running task is killed; twice is fine', async (subject) => {
      const request = subject.request(conformancePrograms.sleep);
      const handle = await subject.runtime.create(request, { signal });
      await subject.runtime.start(handle);
      await subject.runtime.remove(handle);
      await subject.runtime.remove(handle);
      expect(await subject.leftovers(request)).toEqual([]);
    });

    check('the same container can be created again with the next generation', async (subject) => {
      const request = subject.request(conformancePrograms.echo);
      for (const generation of [1, 2]) {
        const id = { ...request.id, generation };
        const { exit } = await runRequest(subject, {
          ...request,
          id,
          directory: `${request.directory}-${generation}`,
        });
        expect(exit.id).toEqual(id);
      }
    });
  });

  describeExecs(name, check);

  describe(`${name}: wait`, () => {
    check('an abort ends the waiting, not the task', async (subject) => {
      const handle = await started(subject, conformancePrograms.sleep);
      const abort = new AbortController();
      const waiting = rejection(subject.runtime.wait(handle, { signal: abort.signal }));
      abort.abort(new Error('enough'));
      expect(await waiting).toMatchObject({ message: 'enough' });
      await subject.runtime.kill(handle, 9);
      expect((await subject.runtime.wait(handle, { signal })).exitCode).toBe(137);
      await subject.runtime.remove(handle);
    });

    check('a task that ended while nobody waited is found by the next daemon', async (subject) => {
      const request = subject.request(conformancePrograms.both);
      const handle = await subject.runtime.create(request, { signal });
      await subject.runtime.start(handle);
      await subject.runtime.wait(handle, { signal });
      const next = await subject.reopen();
      const kept = JSON.parse(JSON.stringify(handle)) as TaskHandle;
      await next.recover([kept]);
      expect((await next.wait(kept, { signal })).exitCode).toBe(3);
      await next.remove(kept);
      expect(await subject.leftovers(request)).toEqual([]);
    });

    check('a task that still runs is taken up by the next daemon', async (subject) => {
      const handle = await started(subject, conformancePrograms.cat, { stdin: true, leaveStdinOpen: true });
      const next = await subject.reopen();
      await next.recover([handle]);
      const streams = await next.attach(handle);
      const output = streams.output()[Symbol.asyncIterator]();
      await streams.write(Buffer.from('still here\n'));
      expect(textOf((await output.next()).value)).toBe('still here\n');
      await next.kill(handle, 9);
      await output.next();
      expect((await next.wait(handle, { signal })).exitCode).toBe(137);
      await next.remove(handle);
    });

    check('recover() removes what nobody remembers, whether it was started or not', async (subject) => {
      const unknown = subject.request(conformancePrograms.sleep);
      const idle = subject.request(conformancePrograms.sleep);
      await subject.runtime.start(await subject.runtime.create(unknown, { signal }));
      await subject.runtime.create(idle, { signal });
      const next = await subject.reopen();
      await next.recover([]);
      expect([...(await subject.leftovers(unknown)), ...(await subject.leftovers(idle))]).toEqual([]);
    });

    check('recover() lets go what the daemon had no time to', async (subject) => {
      const request = subject.request(conformancePrograms.both);
      const handle = await subject.runtime.create(request, { signal });
      const next = await subject.reopen();
      await next.recover([handle]);
      expect((await next.wait(handle, { signal })).exitCode).toBe(3);
      await next.remove(handle);
      expect(await subject.leftovers(request)).toEqual([]);
    });
  });
}

interface WholeRun {
  output: { stdout: string; stderr: string };
  exit: TaskExit;
}

/** Create, attach, start, wait, remove; then nothing may be left. */
export async function runRequest(subject: RuntimeSubject, request: TaskRequest): Promise<WholeRun> {
  const { runtime } = subject;
  const handle = await runtime.create(request, { signal });
  const collected = collect(await runtime.attach(handle));
  await runtime.start(handle);
  const [exit, output] = await Promise.all([runtime.wait(handle, { signal }), collected]);
  await runtime.remove(handle);
  expect(await subject.leftovers(request)).toEqual([]);
  return { exit, output };
}

function runWhole(subject: RuntimeSubject, args: readonly string[]): Promise<WholeRun> {
  return runRequest(subject, subject.request(args));
}
