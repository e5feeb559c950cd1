import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import { bootId, processStartTicks } from '../../sys/clock.ts';
import type { LastingCgroup } from '../../sys/lasting-cgroup.ts';
import { prepareCall } from '../call-for-root.ts';
import type { CgroupWarmth } from '../cgroups/cgroup-warmth.ts';
import { TaskCgroup } from '../cgroups/task-cgroup.ts';
import type { ExecHandle, ExecOptions, ExecRequest, ExecRuntime } from '../exec.ts';
import type { ProvenBinary } from '../probe/proven-binary.ts';
import { SECCOMP_FILE } from '../probe/seccomp-cache.ts';
import { RecordFolder } from '../record-folder.ts';
import type { TaskExit, TaskHandle, TaskId } from '../runtime.ts';
import { execError } from '../runtime-errors.ts';
import type { RuntimeSpec, SpecProcess } from '../runtime-spec.ts';
import { abortable, inTime, within } from '../waiting.ts';
import { type ConmonOptions, control, type ExecMonitor, startExecMonitor, taskFiles } from './conmon.ts';
import { MonitorReport } from './conmon-report.ts';
import { killProcessesOf } from './orphans.ts';
import { holdStdin } from './stdin-guard.ts';
import { type ConmonStreams, openStreams } from './task-streams.ts';
import { TaskWatch } from './task-watch.ts';
import { terminalSide } from './terminal-side.ts';

export interface ConmonExecsOptions {
  conmon: ConmonOptions;
  proven: ProvenBinary;
  warmth: CgroupWarmth;
  lasting: LastingCgroup | undefined;
  /** For records, ours alone, on tmpfs. */
  directory: string;
  logger: Logger;
  createTimeoutMs: number;
}

interface ExecRecord {
  execId: string;
  id: TaskId;
  directory: string;
}

const SIGKILL = 9;
const MONITOR_GRACE_MS = 2000;

/** Execs by conmon's `--exec`, which calls `crun exec` or `runc exec`. */
export class ConmonExecs implements ExecRuntime {
  readonly #options: ConmonExecsOptions;
  readonly #records: RecordFolder<ExecRecord>;
  readonly #watches = new Map<string, TaskWatch>();

  constructor(options: ConmonExecsOptions) {
    this.#options = options;
    this.#records = new RecordFolder(options.directory, ({ execId }) => execId, decode);
  }

  async specOf(task: TaskHandle): Promise<RuntimeSpec> {
    try {
      return JSON.parse(await readFile(join(task.directory, taskFiles.config), 'utf8')) as RuntimeSpec;
    } catch (error) {
      if (errnoCodeOf(error) !== 'ENOENT') throw error;
      throw new EngineError('conflict', `container ${task.id.containerId} is not running`, { cause: error });
    }
  }

  async exec(task: TaskHandle, request: ExecRequest, options: ExecOptions): Promise<ExecHandle> {
    options.signal.throwIfAborted();
    const { warmth } = this.#options;
    warmth.begin();
    try {
      return await this.#exec(task, request, options);
    } finally {
      warmth.end();
    }
  }

  async #exec(task: TaskHandle, request: ExecRequest, options: ExecOptions): Promise<ExecHandle> {
    const { directory, execId } = request;
    const record = { execId, id: task.id, directory };
    this.#records.add(record);
    let monitor: ExecMonitor | undefined;
    let streams: ConmonStreams | undefined;
    let command = '';
    try {
      mkdirSync(join(directory, taskFiles.exits), { recursive: true, mode: 0o700 });
      monitor = this.#startMonitor(task, request, options);
      const ticks = processStartTicks(monitor.child.pid) ?? 0;
      const ready = Promise.all([request.process, monitor.attachable]);
      const [process] = await this.#inTime(abortable(ready, options.signal));
      command = process.args[0] ?? '';
      if (options.joined !== undefined) {
        streams = await openStreams({ ...streamPlace(request), stdin: request.stdin });
        options.joined(streams);
      }
      if (task.root !== undefined) prepareCall(directory, process);
      const pid = await this.#inTime(abortable(letGo(monitor, directory, process), options.signal));
      const handle = handleOf(task, request, {
        pid,
        monitorPid: monitor.child.pid,
        monitorStartTicks: ticks,
      });
      this.#options.lasting?.adopt(monitor.child.pid);
      this.#checkFiltered(handle);
      this.#guard(handle, streams);
      return handle;
    } catch (error) {
      streams?.close();
      await this.#undo(record, monitor);
      throw error instanceof MonitorReport ? execError(error.message, command, task.id.containerId) : error;
    } finally {
      monitor?.close();
    }
  }

  async killExec(handle: ExecHandle, signal: number): Promise<void> {
    if (!this.#watch(handle).signal(signal))
      throw new EngineError('conflict', `exec ${handle.execId} has ended`);
  }

  async resizeExec(handle: ExecHandle, size: { columns: number; rows: number }): Promise<void> {
    if (!handle.terminal) return;
    control(handle.directory, `1 ${terminalSide(size.rows)} ${terminalSide(size.columns)}`);
  }

  async waitExec(handle: ExecHandle, options: { signal: AbortSignal }): Promise<TaskExit> {
    return await abortable(this.#watch(handle).exit(), options.signal);
  }

  async removeExec(handle: ExecHandle): Promise<void> {
    await this.#remove(handle, this.#watch(handle));
  }

  async #remove(record: Pick<ExecRecord, 'execId' | 'directory'>, watch: TaskWatch): Promise<void> {
    watch.signal(SIGKILL);
    await within(watch.monitorExited(), MONITOR_GRACE_MS);
    watch.killMonitor();
    await watch.exit();
    this.#watches.delete(record.execId);
    watch.close();
    await this.#sweep(record);
  }

  /** After a restart of the daemon: end all that are not among `keep`. */
  async recover(keep: readonly ExecHandle[]): Promise<void> {
    const kept = new Set(keep.map(({ execId }) => execId));
    for (const record of this.#records.list()) {
      if (kept.has(record.execId)) continue;
      this.#options.logger.warn('removing an exec that nobody remembers', { exec: record.execId });
      await this.#undo(record, undefined);
    }
  }

  /** The task has ended, and with it all in its pid namespace: what is left is monitors, and their files. */
  async forget(id: TaskId): Promise<void> {
    const theirs = this.#records
      .list()
      .filter((record) => record.id.containerId === id.containerId && record.id.generation === id.generation);
    await Promise.all(
      theirs.map((record) => {
        const watch = this.#watches.get(record.execId);
        // Somebody waits for its exit.
        return watch === undefined ? this.#undo(record, undefined) : this.#remove(record, watch);
      }),
    );
  }

  close(): void {
    for (const watch of this.#watches.values()) watch.close();
    this.#watches.clear();
  }

  #startMonitor(task: TaskHandle, request: ExecRequest, options: ExecOptions): ExecMonitor {
    const { directory, terminal } = request;
    const joined = options.joined !== undefined;
    return startExecMonitor(
      {
        containerId: task.id.containerId,
        directory,
        terminal,
        stdin: request.stdin && joined,
        joined,
        root: task.root,
      },
      { ...this.#options.conmon, executable: this.#options.proven.proof()?.executable },
    );
  }

  /** A container that was given a filter has it in all of its processes, or they don't live. Read after the fact: the trial came before. */
  #checkFiltered(handle: ExecHandle): void {
    const { conmon, proven } = this.#options;
    if (conmon.binary.name !== 'crun') return;
    const filter = statSync(join(conmon.stateDirectory, handle.id.containerId, SECCOMP_FILE), {
      throwIfNoEntry: false,
    });
    if (filter === undefined || filter.size === 0 || seccompModeOf(handle.pid) !== 0) return;
    proven.distrust();
    throw new EngineError('internal', 'The OCI runtime did not load the seccomp filter of the container');
  }

  #guard(handle: ExecHandle, streams: ConmonStreams | undefined): void {
    if (streams === undefined) return;
    if (handle.stdin && !handle.terminal) streams.guard(holdStdin(handle));
    void this.#watch(handle)
      .initExited()
      .then(() => streams.release());
  }

  #watch(handle: ExecHandle): TaskWatch {
    const known = this.#watches.get(handle.execId);
    if (known !== undefined) return known;
    const watch = new TaskWatch(handle, new TaskCgroup(`/${handle.id.containerId}`), 'exec');
    this.#watches.set(handle.execId, watch);
    return watch;
  }

  #inTime<T>(work: Promise<T>): Promise<T> {
    const { conmon, createTimeoutMs } = this.#options;
    return inTime(work, createTimeoutMs, `Cannot run a command in the container: ${conmon.binary.path}`);
  }

  async #undo(record: ExecRecord, monitor: ExecMonitor | undefined): Promise<void> {
    this.#watches.get(record.execId)?.close();
    this.#watches.delete(record.execId);
    try {
      let isClear = await killProcessesOf(record.directory);
      if (monitor !== undefined) {
        await ended(monitor);
        // What it forked as it went may have been missed.
        isClear = await killProcessesOf(record.directory);
      }
      if (!isClear) this.#options.logger.warn('cannot kill what is left of an exec', { exec: record.execId });
      await this.#sweep(record);
    } catch (error) {
      this.#options.logger.error('cannot remove an exec', { exec: record.execId, error: messageOf(error) });
    }
  }

  async #sweep({ execId, directory }: Pick<ExecRecord, 'execId' | 'directory'>): Promise<void> {
    await rm(directory, { recursive: true, force: true });
    this.#records.remove(execId);
  }
}

async function ended({ child }: ExecMonitor): Promise<void> {
  let gone = false;
  const exited = child.exited.then(() => {
    gone = true;
  });
  await within(exited, MONITOR_GRACE_MS);
  // Should it have escaped: it may wait for a release that will never come.
  if (!gone) process.kill(child.pid, 'SIGKILL');
  await exited;
}

function streamPlace(request: ExecRequest): { path: string; leaveStdinOpen: boolean } {
  return { path: join(request.directory, taskFiles.attach), leaveStdinOpen: request.terminal };
}

/** The spec is written last: should we die before, there is no process that nobody has asked for. */
function letGo(monitor: ExecMonitor, directory: string, process: SpecProcess): Promise<number> {
  writeFileSync(join(directory, taskFiles.process), JSON.stringify(process), { mode: 0o600 });
  monitor.release();
  return monitor.created;
}

/** A process that has ended already, and was reaped, has no start time: none will be taken for it. */
function handleOf(
  task: TaskHandle,
  request: ExecRequest,
  processes: Pick<ExecHandle, 'pid' | 'monitorPid' | 'monitorStartTicks'>,
): ExecHandle {
  const { execId, directory, terminal, stdin } = request;
  return {
    execId,
    id: task.id,
    directory,
    ...processes,
    pidStartTicks: processStartTicks(processes.pid) ?? 0,
    bootId: bootId(),
    terminal,
    stdin,
    leaveStdinOpen: terminal,
    runtimePath: task.runtimePath,
  };
}

/** 0: none, 2: a filter. Undefined: the process has gone. */
function seccompModeOf(pid: number): number | undefined {
  try {
    const mode = /^Seccomp:\s*(?<mode>\d)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.groups?.[
      'mode'
    ];
    return mode === undefined ? undefined : Number(mode);
  } catch {
    return undefined;
  }
}

function decode(value: unknown): ExecRecord | undefined {
  const { execId, id, directory } = value as Partial<ExecRecord>;
  return typeof execId === 'string' && typeof directory === 'string' && typeof id?.containerId === 'string'
    ? { execId, id, directory }
    : undefined;
}
