import { describe, expect } from 'bun:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../../errors/engine-error.ts';
import type { ExecHandle, ExecRequest } from '../exec.ts';
import type { TaskExit, TaskHandle, TaskStreams } from '../runtime.ts';
import {
  collect,
  expectKind,
  conformancePrograms as programs,
  type RuntimeSubject,
  rejection,
  started,
} from './runtime-subject.ts';

type Check = (title: string, body: (subject: RuntimeSubject) => Promise<void>) => void;

const signal = new AbortController().signal;

/** The part of the suite that is about execs. */
export function describeExecs(name: string, check: Check): void {
  describe(`${name}: exec`, () => {
    check('output comes whole and apart, and the exit code; nothing is left', async (subject) => {
      const task = await started(subject, programs.sleep);
      const request = await subject.exec(task, programs.both);
      const { output, exit, handle } = await runExec(subject, task, request);
      expect(output).toEqual({ stdout: 'out\n', stderr: 'err\n' });
      expect(exit).toMatchObject({ id: task.id, exitCode: 3 });
      expect(exit.error).toBeUndefined();
      expect(handle).toMatchObject({ execId: request.execId, id: task.id });
      expect(handle.pid).toBeGreaterThan(1);
      expect(await subject.execLeftovers(request)).toEqual([]);
    });

    check('five million bytes come whole', async (subject) => {
      const task = await started(subject, programs.sleep);
      const { output } = await runExec(subject, task, await subject.exec(task, programs.flood));
      expect(output.stdout.length).toBe(5_000_000);
    });

    check('what is written comes back, and its end ends the process', async (subject) => {
      const task = await started(subject, programs.sleep);
      const request = await subject.exec(task, programs.cat, { stdin: true });
      const { handle, streams } = await joined(subject, task, request);
      const output = collect(streams);
      const sent = 'line\n'.repeat(40_000);
      await streams.write(Buffer.from(sent));
      await streams.closeStdin();
      expect((await subject.runtime.waitExec(handle, { signal })).exitCode).toBe(0);
      expect((await output).stdout).toBe(sent);
      await expectKind(streams.write(Buffer.from('x')), 'conflict');
    });

    check('without stdin there is its end, and write() refuses', async (subject) => {
      const task = await started(subject, programs.sleep);
      const { handle, streams } = await joined(subject, task, await subject.exec(task, programs.cat));
      await expectKind(streams.write(Buffer.from('x')), 'conflict');
      expect((await subject.runtime.waitExec(handle, { signal })).exitCode).toBe(0);
    });

    check('one that nobody joined runs too, whatever it says', async (subject) => {
      const { runtime } = subject;
      const task = await started(subject, programs.sleep);
      const handle = await runtime.exec(task, await subject.exec(task, programs.flood), { signal });
      expect((await runtime.waitExec(handle, { signal })).exitCode).toBe(0);
    });

    check('a signal ends it with 128 plus its number, and no other process', async (subject) => {
      const { runtime } = subject;
      const task = await started(subject, programs.sleep);
      const handle = await runtime.exec(task, await subject.exec(task, programs.sleep), { signal });
      await runtime.killExec(handle, 9);
      expect((await runtime.waitExec(handle, { signal })).exitCode).toBe(137);
      await expectKind(runtime.killExec(handle, 9), 'conflict');
      expect(await runtime.processes(task)).toContain(task.pid);
    });

    check('several run at once', async (subject) => {
      const task = await started(subject, programs.sleep);
      const runs = Array.from({ length: 5 }, async () =>
        runExec(subject, task, await subject.exec(task, programs.both)),
      );
      for (const { exit, output } of await Promise.all(runs)) {
        expect(exit.exitCode).toBe(3);
        expect(output.stdout).toBe('out\n');
      }
    });

    check('removeExec() ends one that runs; twice is fine', async (subject) => {
      const { runtime } = subject;
      const task = await started(subject, programs.sleep);
      const request = await subject.exec(task, programs.sleep);
      const handle = await runtime.exec(task, request, { signal });
      const exit = runtime.waitExec(handle, { signal });
      await runtime.removeExec(handle);
      expect((await exit).exitCode).toBe(137);
      await runtime.removeExec(handle);
      expect(await subject.execLeftovers(request)).toEqual([]);
    });
  });

  describe(`${name}: exec that fails`, () => {
    const failures = [
      [programs.missing, 'command-not-found', 'exec: "nosuch": executable file not found in $PATH'],
      [programs.missingPath, 'command-not-found', 'exec: "/nosuch": stat /nosuch: no such file or directory'],
      [programs.notExecutable, 'command-not-executable', 'exec: "/etc/plain": permission denied'],
    ] as const;
    for (const terminal of [false, true])
      for (const [args, code, words] of failures)
        check(`${args[0]}${terminal ? ' with a terminal' : ''}: Docker's words and code`, async (subject) => {
          const task = await started(subject, programs.sleep);
          const request = await subject.exec(task, args, { terminal });
          const error = await rejection(joined(subject, task, request));
          expect(error).toBeInstanceOf(EngineError);
          expect(error).toMatchObject({
            kind: 'invalid',
            code,
            message: `OCI runtime exec failed: exec failed: unable to start container process: ${words}`,
          });
          expect(await subject.execLeftovers(request)).toEqual([]);
        });

    check('a process that is not to be had, and an abort, leave nothing', async (subject) => {
      const { runtime } = subject;
      const task = await started(subject, programs.sleep);
      const request = await subject.exec(task, programs.sleep);
      const failing = sleep(20).then(() => Promise.reject(new Error('no process')));
      expect(await rejection(runtime.exec(task, { ...request, process: failing }, { signal }))).toMatchObject(
        {
          message: 'no process',
        },
      );
      const abort = new AbortController();
      const starting = rejection(
        runtime.exec(task, request, { signal: abort.signal, joined: () => undefined }),
      );
      abort.abort(new Error('enough'));
      expect(await starting).toMatchObject({ message: 'enough' });
      expect(await subject.execLeftovers(request)).toEqual([]);
    });

    check('a task that has ended has none', async (subject) => {
      const { runtime } = subject;
      const task = await started(subject, programs.sleep);
      const request = await subject.exec(task, programs.echo);
      await runtime.kill(task, 9);
      await runtime.wait(task, { signal });
      await expectKind(runtime.exec(task, request, { signal }), 'conflict');
      expect(await subject.execLeftovers(request)).toEqual([]);
    });
  });

  describe(`${name}: exec and its surroundings`, () => {
    check("the task's end is its end; the task's removal leaves nothing of it", async (subject) => {
      const { runtime } = subject;
      const task = await started(subject, programs.sleep);
      const request = await subject.exec(task, programs.sleep);
      const { handle, streams } = await joined(subject, task, request);
      const output = collect(streams);
      await runtime.kill(task, 9);
      expect((await runtime.waitExec(handle, { signal })).exitCode).toBe(137);
      await output;
      await runtime.remove(task);
      expect(await subject.execLeftovers(request)).toEqual([]);
    });

    check('one that ended while nobody waited is found by the next daemon', async (subject) => {
      const task = await started(subject, programs.sleep);
      const request = await subject.exec(task, programs.both);
      const handle = await subject.runtime.exec(task, request, { signal });
      await subject.runtime.waitExec(handle, { signal });
      const next = await subject.reopen();
      const kept = JSON.parse(JSON.stringify(handle)) as ExecHandle;
      await next.recover([task], [kept]);
      expect((await next.waitExec(kept, { signal })).exitCode).toBe(3);
      await next.removeExec(kept);
      expect(await subject.execLeftovers(request)).toEqual([]);
    });

    check('one that runs lives on under the next daemon; what nobody remembers does not', async (subject) => {
      const task = await started(subject, programs.sleep);
      const requests = [
        await subject.exec(task, programs.sleep),
        await subject.exec(task, programs.sleep),
      ] as const;
      const kept = await subject.runtime.exec(task, requests[0], { signal });
      await subject.runtime.exec(task, requests[1], { signal });
      const next = await subject.reopen();
      await next.recover([task], [kept]);
      expect(await subject.execLeftovers(requests[1])).toEqual([]);
      await next.killExec(kept, 9);
      expect((await next.waitExec(kept, { signal })).exitCode).toBe(137);
      await next.removeExec(kept);
    });
  });
}

async function joined(
  subject: RuntimeSubject,
  task: TaskHandle,
  request: ExecRequest,
): Promise<{ handle: ExecHandle; streams: TaskStreams }> {
  let streams: TaskStreams | undefined;
  const handle = await subject.runtime.exec(task, request, {
    signal,
    joined: (given) => {
      streams = given;
    },
  });
  if (streams === undefined) throw new Error('no streams');
  return { handle, streams };
}

/** Exec, collect, wait, remove. */
async function runExec(
  subject: RuntimeSubject,
  task: TaskHandle,
  request: ExecRequest,
): Promise<{ handle: ExecHandle; exit: TaskExit; output: { stdout: string; stderr: string } }> {
  const { handle, streams } = await joined(subject, task, request);
  const [exit, output] = await Promise.all([subject.runtime.waitExec(handle, { signal }), collect(streams)]);
  await subject.runtime.removeExec(handle);
  return { handle, exit, output };
}
