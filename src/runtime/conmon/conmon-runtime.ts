import { mkdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { type Logger, silentLogger } from '../../errors/logger.ts';
import { bootId, processStartTicks } from '../../sys/clock.ts';
import type { LastingCgroup } from '../../sys/lasting-cgroup.ts';
import { timed } from '../../sys/timeline.ts';
import { prepareCall } from '../call-for-root.ts';
import { CgroupWarmth } from '../cgroups/cgroup-warmth.ts';
import { TaskCgroup } from '../cgroups/task-cgroup.ts';
import type { ExecHandle, ExecOptions, ExecRequest } from '../exec.ts';
import { guardNullOrWarn } from '../null-guard.ts';
import { OciCommand } from '../probe/oci-binary.ts';
import type { ProbedRuntime } from '../probe/probe.ts';
import { type Proof, ProvenBinary } from '../probe/proven-binary.ts';
import { type PreparedSpec, SeccompCache } from '../probe/seccomp-cache.ts';
import type { OpenTaskRequest, Runtime, RuntimeInfo, TaskExit, TaskHandle, TaskId } from '../runtime.ts';
import { createError } from '../runtime-errors.ts';
import type { RuntimeSpec } from '../runtime-spec.ts';
import { type TaskRecord, TaskRecords, taskKey } from '../task-record.ts';
import { abortable, inTime, within } from '../waiting.ts';
import {
  type ConmonOptions,
  control,
  hasPendingOrder,
  type Monitor,
  startMonitor,
  taskFiles,
} from './conmon.ts';
import { ConmonExecs } from './conmon-execs.ts';
import { MonitorReport } from './conmon-report.ts';
import { hasHooks, letGoOn, startByFifo, waitsAtFifo } from './exec-fifo.ts';
import { signalQuietly } from './signal-quietly.ts';
import { holdStdin } from './stdin-guard.ts';
import { TaskClearing } from './task-clearing.ts';
import { type ConmonStreams, openStreams } from './task-streams.ts';
import { TaskWatch } from './task-watch.ts';
import { terminalSide } from './terminal-side.ts';

export interface ConmonRuntimeOptions {
  /** Ours alone, on tmpfs, short: runtime state, records of tasks. Made when absent. */
  directory: string;
  /** Parent of all our cgroups (cgroupfs driver), removed by `close` when it is empty. */
  cgroupParent?: string;
  probed: ProbedRuntime;
  /** Takes the monitors out of the daemon's unit; default: they stay. */
  lasting?: LastingCgroup;
  /** Whether a mount of ours concerns nobody else. Default: no. */
  ownMountNamespace?: boolean;
  logger?: Logger;
  /** How long the OCI runtime may take to create a container; default two minutes. */
  createTimeoutMs?: number;
}

const SIGKILL = 9;
const RESOURCES_FILE = 'resources.json';
const MONITOR_GRACE_MS = 2000;
const CREATE_TIMEOUT_MS = 120_000;
/** `conmon-term.XXXXXX` below it must fit in a socket address of 108 bytes. */
const MAX_TEMPORARY_PATH = 80;

/** Runtime by conmon and crun or runc. */
export class ConmonRuntime implements Runtime {
  readonly #info: RuntimeInfo;
  readonly #conmon: ConmonOptions;
  readonly #command: OciCommand;
  readonly #records: TaskRecords;
  readonly #logger: Logger;
  readonly #createTimeoutMs: number;
  readonly #cgroupParent: string | undefined;
  readonly #lasting: LastingCgroup | undefined;
  readonly #watches = new Map<string, TaskWatch>();
  readonly #proven: ProvenBinary;
  readonly #seccomp: SeccompCache;
  /** Made here by a proven binary, without hooks: what starting and deleting them takes is known, and needs no process. */
  readonly #plain = new Set<string>();
  readonly #warmth = new CgroupWarmth();
  readonly #execs: ConmonExecs;
  readonly #clearing: TaskClearing;

  constructor(options: ConmonRuntimeOptions) {
    const { info, conmonPath, binary } = options.probed;
    const stateDirectory = join(options.directory, binary.name);
    mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
    this.#info = info;
    this.#logger = options.logger ?? silentLogger;
    this.#conmon = {
      binary,
      stateDirectory,
      cgroupDriver: info.cgroupDriver,
      conmonPath,
      temporaryDirectory: options.directory.length > MAX_TEMPORARY_PATH ? '/tmp' : options.directory,
    };
    if (options.ownMountNamespace === true) guardNullOrWarn(this.#logger);
    this.#command = new OciCommand(this.#conmon, () => this.#proven.proof()?.executable ?? binary.path);
    this.#records = new TaskRecords(join(options.directory, 'tasks'));
    this.#cgroupParent = options.cgroupParent;
    this.#lasting = options.lasting;
    this.#createTimeoutMs = options.createTimeoutMs ?? CREATE_TIMEOUT_MS;
    this.#proven = new ProvenBinary({
      path: binary.path,
      mountDirectory: options.ownMountNamespace === true ? join(options.directory, 'bin') : undefined,
      trial: options.probed.trySeccompFilter,
      logger: this.#logger,
    });
    this.#seccomp = new SeccompCache({ binary: this.#proven, stateDirectory });
    this.#execs = new ConmonExecs({
      conmon: this.#conmon,
      proven: this.#proven,
      warmth: this.#warmth,
      lasting: this.#lasting,
      directory: join(options.directory, 'execs'),
      logger: this.#logger,
      createTimeoutMs: this.#createTimeoutMs,
    });
    this.#clearing = new TaskClearing({
      records: this.#records,
      command: this.#command,
      stateDirectory,
      execs: this.#execs,
      logger: this.#logger,
      isAlive: (id) => this.#watches.get(taskKey(id))?.signal(0) === true,
      cleared: (id) => this.#plain.delete(taskKey(id)),
    });
  }

  /** Try what makes starts faster, so that the first one has it. In the background, once the daemon serves. */
  async warm(): Promise<void> {
    await this.#proven.warm();
  }

  async info(): Promise<RuntimeInfo> {
    return this.#info;
  }

  /** Whether what makes starts faster is done: with a binary that was seen to do it, and as long as it is that binary. */
  get takesShortcuts(): boolean {
    return this.#proven.proof() !== undefined;
  }

  anticipate(): void {
    this.#warmth.anticipate();
  }

  async create(request: OpenTaskRequest, options: { signal: AbortSignal }): Promise<TaskHandle> {
    options.signal.throwIfAborted();
    await this.#clearing.clearEarlier(request.id);
    options.signal.throwIfAborted();
    const { id, directory } = request;
    const record: TaskRecord = { id, directory, cgroupPath: `/${id.containerId}` };
    this.#records.add(record);
    this.#warmth.begin();
    let monitor: Monitor | undefined;
    let command: string | undefined;
    try {
      const proof = this.#proven.proof();
      makeDirectory(request);
      const { timeline } = request;
      const started = startMonitor(request, { ...this.#conmon, executable: proof?.executable });
      monitor = started;
      const spec = await abortable(Promise.resolve(request.spec), options.signal);
      command = spec.process.args[0];
      record.cgroupPath = spec.linux.cgroupsPath ?? record.cgroupPath;
      this.#records.add(record);
      const prepared = this.#prepare(spec, proof);
      writeSpec(request, prepared.spec);
      if (request.root !== undefined) prepareCall(directory, spec.process);
      monitor.release();
      const pid = await timed(timeline, 'runtime', () =>
        this.#inTime(abortable(started.created, options.signal)),
      );
      this.#seccomp.settle(id.containerId, prepared);
      this.#lasting?.adopt(monitor.child.pid);
      if (proof !== undefined && !hasHooks(spec)) this.#plain.add(taskKey(id));
      return this.#adopt(request, monitor, pid);
    } catch (error) {
      await this.#clearing.undo(record, monitor);
      throw error instanceof MonitorReport ? createError(error.message, command ?? '') : error;
    } finally {
      monitor?.close();
      this.#warmth.end();
    }
  }

  async attach(handle: TaskHandle): Promise<ConmonStreams> {
    const watch = this.#watch(handle);
    const streams = await openStreams({
      path: join(handle.directory, taskFiles.attach),
      stdin: handle.stdin,
      leaveStdinOpen: handle.leaveStdinOpen ?? false,
      guard: handle.stdin && !handle.terminal ? holdStdin(handle) : undefined,
    });
    void watch.initExited().then(() => streams.release());
    return streams;
  }

  async start(handle: TaskHandle): Promise<void> {
    const { containerId } = handle.id;
    const plain = this.#plain.has(taskKey(handle.id));
    if (plain && startByFifo(this.#conmon.stateDirectory, containerId)) return;
    await this.#command.start(containerId);
  }

  async kill(handle: TaskHandle, signal: number, options: { all?: boolean } = {}): Promise<void> {
    const watch = this.#watch(handle);
    const pids = options.all === true ? watch.cgroup.processes() : [];
    if (!watch.signal(signal)) throw ended(handle);
    if (signal === SIGKILL) watch.cgroup.thaw();
    for (const pid of pids) if (pid !== handle.pid) signalQuietly(pid, signal);
  }

  async pause(handle: TaskHandle): Promise<void> {
    await this.#command.pause(handle.id.containerId);
  }

  async resume(handle: TaskHandle): Promise<void> {
    await this.#command.resume(handle.id.containerId);
  }

  isPaused(handle: TaskHandle): boolean {
    return this.#watch(handle).cgroup.isFrozen();
  }

  async update(handle: TaskHandle, resources: Readonly<Record<string, unknown>>): Promise<void> {
    const watch = this.#watch(handle);
    if (watch.ended) throw ended(handle);
    const { pids, ...others } = resources as { pids?: { limit: number } };
    const unlimited = pids !== undefined && pids.limit <= 0;
    // crun (1.8) writes the number as it is, which is none to the kernel.
    if (unlimited) watch.cgroup.unlimitProcesses();
    const file = join(handle.directory, RESOURCES_FILE);
    await writeFile(file, JSON.stringify(unlimited ? others : resources), { mode: 0o600 });
    await this.#command.update(handle.id.containerId, file);
  }

  async resize(handle: TaskHandle, size: { columns: number; rows: number }): Promise<void> {
    if (!handle.terminal) return;
    control(handle.directory, `1 ${terminalSide(size.rows)} ${terminalSide(size.columns)}`);
  }

  async reopenLogs(handle: TaskHandle): Promise<void> {
    if (!hasPendingOrder(handle.directory)) control(handle.directory, '2 0 0');
  }

  async wait(handle: TaskHandle, options: { signal: AbortSignal }): Promise<TaskExit> {
    return await abortable(this.#watch(handle).exit(), options.signal);
  }

  async remove(handle: TaskHandle): Promise<void> {
    const watch = this.#watch(handle);
    watch.signal(SIGKILL);
    if (this.#clearing.isLatest(handle.id)) {
      watch.cgroup.thaw();
      // Once all has ended, `#sweep` removes what the runtime's `delete` would; a scope of systemd's is more than a folder.
      const sweepable = watch.ended && this.#conmon.cgroupDriver === 'cgroupfs';
      if (!sweepable || !this.#plain.has(taskKey(handle.id)))
        await this.#clearing.deleteState(handle.id.containerId);
    }
    await within(watch.monitorExited(), MONITOR_GRACE_MS);
    watch.killMonitor();
    await watch.exit();
    await this.#clearing.sweep({
      id: handle.id,
      directory: handle.directory,
      cgroupPath: this.#cgroupPath(handle),
    });
    this.#watches.delete(taskKey(handle.id));
    watch.close();
  }

  async processes(handle: TaskHandle): Promise<number[]> {
    return this.#watch(handle).cgroup.processes();
  }

  specOf(task: TaskHandle): Promise<RuntimeSpec> {
    return this.#execs.specOf(task);
  }

  exec(task: TaskHandle, request: ExecRequest, options: ExecOptions): Promise<ExecHandle> {
    return this.#execs.exec(task, request, options);
  }

  killExec(handle: ExecHandle, signal: number): Promise<void> {
    return this.#execs.killExec(handle, signal);
  }

  resizeExec(handle: ExecHandle, size: { columns: number; rows: number }): Promise<void> {
    return this.#execs.resizeExec(handle, size);
  }

  waitExec(handle: ExecHandle, options: { signal: AbortSignal }): Promise<TaskExit> {
    return this.#execs.waitExec(handle, options);
  }

  removeExec(handle: ExecHandle): Promise<void> {
    return this.#execs.removeExec(handle);
  }

  async recover(keep: readonly TaskHandle[], keepExecs: readonly ExecHandle[] = []): Promise<void> {
    const kept = new Set(keep.map((handle) => taskKey(handle.id)));
    const stray = this.#records.list().filter((record) => !kept.has(taskKey(record.id)));
    for (const record of stray) {
      this.#logger.warn('removing a container that nobody remembers', { container: record.id.containerId });
      try {
        await this.#clearing.undo(record, undefined);
      } catch (error) {
        this.#logger.error('cannot remove a stray container', {
          container: record.id.containerId,
          error: messageOf(error),
        });
      }
    }
    // Those of a daemon that was killed before it came to it, or of an earlier release.
    for (const { monitorPid } of [...keep, ...keepExecs]) this.#lasting?.adopt(monitorPid);
    await this.#execs.recover(keepExecs);
    await Promise.all(keep.map((handle) => this.#letGoOn(handle)));
  }

  /**
   * The daemon died while it let the command go: that start is brought to its end. With crun never by `crun start`, which waits for ever at a
   * fifo that nobody reads.
   */
  async #letGoOn({ id, pid }: TaskHandle): Promise<void> {
    const { stateDirectory } = this.#conmon;
    if (!waitsAtFifo(stateDirectory, id.containerId)) return;
    if (this.#info.name === 'crun') {
      return await letGoOn(stateDirectory, id.containerId, () => isRuntime(pid));
    }
    try {
      await this.#command.start(id.containerId);
    } catch (error) {
      this.#logger.warn('cannot start a container anew', {
        container: id.containerId,
        error: messageOf(error),
      });
    }
  }

  async close(): Promise<void> {
    await this.#proven.close();
    await this.#lasting?.close();
    if (this.#cgroupParent !== undefined) new TaskCgroup(this.#cgroupParent).removeIfEmpty();
    this.#execs.close();
    for (const watch of this.#watches.values()) watch.close();
    this.#watches.clear();
  }

  /** A filter is handed to the binary that was called, or to none. */
  #prepare(spec: RuntimeSpec, proof: Proof | undefined): PreparedSpec {
    if (proof === this.#proven.proof()) return this.#seccomp.prepare(spec);
    return { spec, key: undefined, filter: undefined };
  }

  #inTime(created: Promise<number>): Promise<number> {
    return inTime(created, this.#createTimeoutMs, `Cannot create the container: ${this.#info.path}`);
  }

  #adopt(request: OpenTaskRequest, monitor: Monitor, pid: number): TaskHandle {
    const pidStartTicks = processStartTicks(pid);
    const monitorStartTicks = processStartTicks(monitor.child.pid);
    if (pidStartTicks === undefined || monitorStartTicks === undefined) {
      throw new EngineError('internal', 'The container ended before it was started');
    }
    const handle: TaskHandle = {
      id: request.id,
      directory: request.directory,
      pid,
      pidStartTicks,
      monitorPid: monitor.child.pid,
      monitorStartTicks,
      bootId: bootId(),
      terminal: request.terminal,
      stdin: request.stdin,
      leaveStdinOpen: request.leaveStdinOpen,
      ...(request.root === undefined ? {} : { root: request.root }),
      runtimePath: this.#conmon.binary.path,
    };
    this.#watch(handle);
    return handle;
  }

  #watch(handle: TaskHandle): TaskWatch {
    const key = taskKey(handle.id);
    const known = this.#watches.get(key);
    if (known !== undefined) return known;
    const watch = new TaskWatch(handle, new TaskCgroup(this.#cgroupPath(handle)));
    this.#watches.set(key, watch);
    return watch;
  }

  #cgroupPath(handle: TaskHandle): string {
    return this.#records.get(handle.id)?.cgroupPath ?? `/${handle.id.containerId}`;
  }
}

/** Whether a process is crun yet, and no command of a container's: from its file, or from its copy in memory. */
function isRuntime(pid: number): boolean {
  try {
    return /\/(?:memfd:)?crun[^/]*(?:\/|$)/.test(readlinkSync(`/proc/${pid}/exe`));
  } catch {
    return false;
  }
}

function makeDirectory({ directory }: { directory: string }): void {
  mkdirSync(join(directory, taskFiles.exits), { recursive: true, mode: 0o700 });
}

function writeSpec({ directory }: { directory: string }, spec: RuntimeSpec): void {
  writeFileSync(join(directory, taskFiles.config), JSON.stringify(spec), { mode: 0o600 });
}

function ended(handle: { id: TaskId }): EngineError {
  return new EngineError('conflict', `container ${handle.id.containerId} is not running`);
}
