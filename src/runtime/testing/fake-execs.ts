import { EngineError } from '../../errors/engine-error.ts';
import { bootId, nowNano } from '../../sys/clock.ts';
import type { ExecHandle, ExecOptions, ExecRequest } from '../exec.ts';
import type { TaskExit, TaskHandle, TaskId } from '../runtime.ts';
import { taskKey } from '../task-record.ts';
import { FakeProcess } from './fake-process.ts';
import type { FakeFunction } from './fake-programs.ts';

interface FakeExec {
  handle: ExecHandle;
  process: FakeProcess;
  exit: Promise<TaskExit>;
  ended: boolean;
}

/** Execs of a FakeHost: they survive a restart of the daemon. */
export class FakeExecs {
  readonly all = new Map<string, FakeExec>();

  start(
    task: TaskHandle,
    request: ExecRequest,
    options: ExecOptions & { args: readonly string[]; program: FakeFunction; pid: number },
  ): ExecHandle {
    const { execId, directory, terminal } = request;
    const stdin = request.stdin && options.joined !== undefined;
    const { pid } = options;
    const ids = { pid, pidStartTicks: pid, monitorPid: pid, monitorStartTicks: pid };
    const { id, runtimePath } = task;
    const handle: ExecHandle = {
      execId,
      id,
      directory,
      ...ids,
      bootId: bootId(),
      terminal,
      stdin,
      leaveStdinOpen: terminal,
      runtimePath,
    };
    const process = new FakeProcess(options.args);
    options.joined?.(process.join(handle));
    if (!stdin) process.closeStdin();
    const exec: FakeExec = { handle, process, ended: false, exit: Promise.resolve(lost(handle)) };
    exec.exit = process.run(options.program).then((exitCode) => {
      exec.ended = true;
      process.leave();
      return { id, exitCode, oomKilled: false, finishedAtNano: nowNano() };
    });
    this.all.set(execId, exec);
    return handle;
  }

  kill(handle: ExecHandle, signal: number): void {
    const exec = this.all.get(handle.execId);
    if (exec === undefined || exec.ended)
      throw new EngineError('conflict', `exec ${handle.execId} has ended`);
    exec.process.signal(signal);
  }

  resize(handle: ExecHandle, size: { columns: number; rows: number }): void {
    const exec = this.all.get(handle.execId);
    if (exec !== undefined && handle.terminal) exec.process.size = size;
  }

  async wait(handle: ExecHandle, signal: AbortSignal): Promise<TaskExit> {
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    signal.addEventListener('abort', () => aborted.reject(signal.reason), { once: true });
    return await Promise.race([this.all.get(handle.execId)?.exit ?? lost(handle), aborted.promise]);
  }

  remove(execId: string): void {
    this.all.get(execId)?.process.signal(9);
    this.all.delete(execId);
  }

  /** What a pid namespace does when its first process has ended. */
  killAll(task: TaskId): void {
    for (const exec of this.#of(task)) exec.process.signal(9);
  }

  forget(task: TaskId): void {
    for (const { handle } of this.#of(task)) this.remove(handle.execId);
  }

  recover(keep: readonly ExecHandle[]): void {
    const kept = new Set(keep.map(({ execId }) => execId));
    for (const execId of this.all.keys()) if (!kept.has(execId)) this.remove(execId);
  }

  #of(task: TaskId): FakeExec[] {
    return [...this.all.values()].filter(({ handle }) => taskKey(handle.id) === taskKey(task));
  }
}

function lost(handle: ExecHandle): TaskExit {
  return {
    id: handle.id,
    exitCode: 137,
    oomKilled: false,
    finishedAtNano: nowNano(),
    error: 'The monitor of the exec died, and with it the exit code',
  };
}
