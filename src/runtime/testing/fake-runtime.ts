import { EngineError } from '../../errors/engine-error.ts';
import { bootId, nowNano } from '../../sys/clock.ts';
import type { ExecHandle, ExecOptions, ExecRequest } from '../exec.ts';
import type {
  OpenTaskRequest,
  Runtime,
  RuntimeInfo,
  TaskExit,
  TaskHandle,
  TaskRequest,
  TaskStreams,
} from '../runtime.ts';
import { createError, execError, startError } from '../runtime-errors.ts';
import type { RuntimeSpec } from '../runtime-spec.ts';
import { taskKey } from '../task-record.ts';
import { FakeExecs } from './fake-execs.ts';
import { FakeProcess } from './fake-process.ts';
import type { FakeFunction, FakeProgram } from './fake-programs.ts';

export interface FakeRuntimeOptions {
  /** By command line, words joined by a space; a key of one word also stands for all lines that begin with it. */
  programs: Readonly<Record<string, FakeProgram>>;
}

interface FakeTask {
  handle: TaskHandle;
  request: TaskRequest;
  process: FakeProcess;
  program: FakeFunction;
  exit: Promise<TaskExit>;
  settle: (exit: TaskExit) => void;
  state: 'created' | 'running' | 'ended';
  paused: boolean;
}

/** What survives a restart of the daemon: hand it to the next FakeRuntime. */
export class FakeHost {
  readonly tasks = new Map<string, FakeTask>();
  readonly execs = new FakeExecs();
  nextPid = 100_000;
}

/** A Runtime without processes: programs are functions. `calls` records what was asked of it, in order. */
export class FakeRuntime implements Runtime {
  readonly calls: string[] = [];
  readonly host: FakeHost;
  readonly #programs: Readonly<Record<string, FakeProgram>>;

  constructor(options: FakeRuntimeOptions, host: FakeHost = new FakeHost()) {
    this.#programs = options.programs;
    this.host = host;
  }

  async info(): Promise<RuntimeInfo> {
    return {
      name: 'crun',
      path: '/usr/bin/crun',
      version: '0.0.0',
      commit: 'fake',
      monitorVersion: '0.0.0',
      cgroupDriver: 'cgroupfs',
      cgroupVersion: '2',
      warnings: [],
    };
  }

  async create(open: OpenTaskRequest, options: { signal: AbortSignal }): Promise<TaskHandle> {
    this.#note('create', open.id.containerId);
    options.signal.throwIfAborted();
    const request: TaskRequest = { ...open, spec: await open.spec };
    options.signal.throwIfAborted();
    const key = taskKey(request.id);
    if (this.host.tasks.has(key)) throw new EngineError('internal', `container ${key} exists`);
    const program = this.#programFor(request.spec.process.args);
    const pid = this.host.nextPid++;
    const handle: TaskHandle = {
      id: request.id,
      directory: request.directory,
      pid,
      pidStartTicks: pid,
      monitorPid: this.host.nextPid++,
      monitorStartTicks: pid,
      bootId: bootId(),
      terminal: request.terminal,
      stdin: request.stdin,
      leaveStdinOpen: request.leaveStdinOpen,
      runtimePath: '/usr/bin/crun',
    };
    const { promise, resolve } = Promise.withResolvers<TaskExit>();
    void promise.then(() => this.host.execs.killAll(request.id));
    const process = new FakeProcess(request.spec.process.args);
    this.host.tasks.set(key, {
      handle,
      request,
      process,
      program,
      exit: promise,
      settle: resolve,
      state: 'created',
      paused: false,
    });
    return handle;
  }

  async attach(handle: TaskHandle): Promise<TaskStreams> {
    this.#note('attach', handle.id.containerId);
    const task = this.#task(handle);
    if (task === undefined || task.state === 'ended') {
      throw new EngineError('conflict', 'Cannot attach: the container has ended');
    }
    return task.process.join(handle);
  }

  async start(handle: TaskHandle): Promise<void> {
    this.#note('start', handle.id.containerId);
    const task = this.#task(handle);
    if (task === undefined || task.state !== 'created')
      throw startError('cannot start an already running container');
    task.state = 'running';
    void task.process.run(task.program).then((exitCode) => end(task, exitCode));
  }

  async kill(handle: TaskHandle, signal: number): Promise<void> {
    this.#note(`kill ${signal}`, handle.id.containerId);
    const task = this.#task(handle);
    if (task === undefined || task.state === 'ended') {
      throw new EngineError('conflict', `container ${handle.id.containerId} is not running`);
    }
    task.process.signal(signal);
    if (task.state === 'created') end(task, 128 + signal);
  }

  async pause(handle: TaskHandle): Promise<void> {
    this.#note('pause', handle.id.containerId);
    this.#running(handle).paused = true;
  }

  async resume(handle: TaskHandle): Promise<void> {
    this.#note('resume', handle.id.containerId);
    this.#running(handle).paused = false;
  }

  isPaused(handle: TaskHandle): boolean {
    const task = this.#task(handle);
    return task?.state === 'running' && task.paused;
  }

  async update(handle: TaskHandle, resources: Readonly<Record<string, unknown>>): Promise<void> {
    this.#note(`update ${JSON.stringify(resources)}`, handle.id.containerId);
    this.#running(handle);
  }

  async resize(handle: TaskHandle, size: { columns: number; rows: number }): Promise<void> {
    this.#note(`resize ${size.columns}x${size.rows}`, handle.id.containerId);
    this.#running(handle).process.size = size;
  }

  async reopenLogs(handle: TaskHandle): Promise<void> {
    this.#note('reopenLogs', handle.id.containerId);
  }

  async wait(handle: TaskHandle, options: { signal: AbortSignal }): Promise<TaskExit> {
    options.signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    options.signal.addEventListener('abort', () => aborted.reject(options.signal.reason), { once: true });
    return await Promise.race([this.#task(handle)?.exit ?? lost(handle), aborted.promise]);
  }

  async remove(handle: TaskHandle): Promise<void> {
    this.#note('remove', handle.id.containerId);
    const task = this.#task(handle);
    if (task === undefined) return;
    await stop(task);
    this.host.execs.forget(handle.id);
    this.host.tasks.delete(taskKey(handle.id));
  }

  async processes(handle: TaskHandle): Promise<number[]> {
    const task = this.#task(handle);
    return task === undefined || task.state === 'ended' ? [] : [handle.pid];
  }

  async specOf(handle: TaskHandle): Promise<RuntimeSpec> {
    return this.#running(handle).request.spec;
  }

  async exec(handle: TaskHandle, request: ExecRequest, options: ExecOptions): Promise<ExecHandle> {
    this.#note('exec', handle.id.containerId);
    options.signal.throwIfAborted();
    const { args } = await request.process;
    options.signal.throwIfAborted();
    this.#running(handle);
    const program = this.#programFor(args, (said) => execError(said, args[0] ?? '', handle.id.containerId));
    return this.host.execs.start(handle, request, { ...options, args, program, pid: this.host.nextPid++ });
  }

  async killExec(handle: ExecHandle, signal: number): Promise<void> {
    this.#note(`killExec ${signal}`, handle.execId);
    this.host.execs.kill(handle, signal);
  }

  async resizeExec(handle: ExecHandle, size: { columns: number; rows: number }): Promise<void> {
    this.#note(`resizeExec ${size.columns}x${size.rows}`, handle.execId);
    this.host.execs.resize(handle, size);
  }

  async waitExec(handle: ExecHandle, options: { signal: AbortSignal }): Promise<TaskExit> {
    return await this.host.execs.wait(handle, options.signal);
  }

  async removeExec(handle: ExecHandle): Promise<void> {
    this.#note('removeExec', handle.execId);
    this.host.execs.remove(handle.execId);
  }

  async recover(keep: readonly TaskHandle[], keepExecs: readonly ExecHandle[] = []): Promise<void> {
    this.#note('recover', keep.map((handle) => handle.id.containerId).join(','));
    this.host.execs.recover(keepExecs);
    const kept = new Set(keep.map((handle) => taskKey(handle.id)));
    for (const [key, task] of this.host.tasks) {
      if (kept.has(key)) {
        if (task.state === 'created') await this.start(task.handle);
        continue;
      }
      await stop(task);
      this.host.tasks.delete(key);
    }
  }

  async close(): Promise<void> {
    this.#note('close', '');
  }

  /** The monitor dies, as by `kill -9`: the container is killed and its exit code is a guess. */
  killMonitor(handle: TaskHandle): void {
    const task = this.#task(handle);
    if (task === undefined) return;
    task.process.signal(9);
    end(task, 137, 'The monitor of the container died; the container was killed');
  }

  #programFor(
    args: readonly string[],
    fail = (said: string): EngineError => createError(said, args[0] ?? ''),
  ): FakeFunction {
    const program = this.#programs[args.join(' ')] ?? this.#programs[args[0] ?? ''];
    if (program === undefined) {
      throw fail(`executable file \`${args[0]}\` not found in $PATH: No such file or directory`);
    }
    if (program === 'not-executable') throw fail('open executable: Permission denied');
    return program;
  }

  #task(handle: TaskHandle): FakeTask | undefined {
    return this.host.tasks.get(taskKey(handle.id));
  }

  #running(handle: TaskHandle): FakeTask {
    const task = this.#task(handle);
    if (task?.state !== 'running')
      throw new EngineError('conflict', `container ${handle.id.containerId} is not running`);
    return task;
  }

  #note(call: string, id: string): void {
    this.calls.push(`${call} ${id}`.trim());
  }
}

function end(task: FakeTask, exitCode: number, error?: string): void {
  if (task.state === 'ended') return;
  task.state = 'ended';
  task.process.leave();
  const exit = { id: task.handle.id, exitCode, oomKilled: false, finishedAtNano: nowNano() };
  task.settle(error === undefined ? exit : { ...exit, error });
}

async function stop(task: FakeTask): Promise<void> {
  task.process.signal(9);
  end(task, 137);
  await task.exit;
}

async function lost(handle: TaskHandle): Promise<TaskExit> {
  return {
    id: handle.id,
    exitCode: 137,
    oomKilled: false,
    finishedAtNano: nowNano(),
    error: 'The monitor of the container died, and with it the exit code',
  };
}
