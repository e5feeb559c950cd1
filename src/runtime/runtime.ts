import type { Ids } from '../sys/id-map.ts';
import type { Timeline } from '../sys/timeline.ts';
import type { ExecHandle, ExecRuntime } from './exec.ts';
import type { RuntimeSpec } from './runtime-spec.ts';

/** One start of one container: `<container id>` plus a generation that rises with every start. */
export interface TaskId {
  containerId: string;
  generation: number;
}

export interface TaskRequest {
  id: TaskId;
  /** Root file system, mounted. */
  rootDirectory: string;
  /** Folder for this start (bundle, pid file, exit directory, attach socket): on tmpfs, made by the runtime, removed by `remove`. */
  directory: string;
  spec: RuntimeSpec;
  terminal: boolean;
  /** Whether the process has a stdin at all. */
  stdin: boolean;
  /** Keep stdin open when an attached client leaves (TTY, or not StdinOnce). */
  leaveStdinOpen: boolean;
  /** conmon's log (k8s-file format), appended to over restarts; undefined: nothing is kept. */
  logPath: string | undefined;
  /** Whom on the host the container's root is, where it is not the host's. */
  root?: Ids | undefined;
}

/** A request whose spec may still be in the making while other things are done. */
export type OpenTaskRequest = Omit<TaskRequest, 'spec'> & {
  spec: RuntimeSpec | Promise<RuntimeSpec>;
  /** Gets the steps of it. */
  timeline?: Timeline | undefined;
};

/** Plain data, kept on tmpfs by the caller, enough to find the task again after the daemon died. */
export interface TaskHandle {
  id: TaskId;
  directory: string;
  pid: number;
  /** Start time of `pid` in clock ticks since boot: with it a pid is never mistaken. */
  pidStartTicks: number;
  monitorPid: number;
  monitorStartTicks: number;
  bootId: string;
  terminal: boolean;
  stdin: boolean;
  /** As in the request; absent: false. */
  leaveStdinOpen?: boolean;
  /** As in the request. */
  root?: Ids | undefined;
  runtimePath: string;
}

export interface TaskExit {
  id: TaskId;
  exitCode: number;
  oomKilled: boolean;
  /** Nanoseconds since 1970: the time of the exit file where there is one. */
  finishedAtNano: bigint;
  /** Set when the monitor died and the code is a guess (137). */
  error?: string;
}

/** What a task says to those attached: chunks in order, copied, never empty. */
export interface TaskOutput {
  stream: 'stdout' | 'stderr';
  data: Uint8Array;
}

/**
 * The daemon's one connection to a task's streams. Clients fan out in `containers/`.
 *
 * As long as the reader does not read, the task's log stands still (conmon waits for its attached clients), so read always.
 */
export interface TaskStreams {
  output(): AsyncIterable<TaskOutput>;
  /** Resolves when the bytes were taken. Rejects with "conflict" when the task has no stdin or has ended. */
  write(data: Uint8Array): Promise<void>;
  closeStdin(): Promise<void>;
  /** Leave; the task runs on. */
  close(): void;
}

/**
 * Runs OCI bundles under a monitor (conmon) that outlives the daemon and keeps log and exit code.
 *
 * `create` → `attach` → `start` → exit → `remove`; each call separate, so that streams are joined before the first byte. A created
 * task that is never started is killed by `remove`. Error texts are runc's, whatever the binary is.
 */
export interface Runtime extends ExecRuntime {
  /** Name and version of the OCI runtime in use, e.g. `crun` `1.8.1`, and of conmon. */
  info(): Promise<RuntimeInfo>;
  /** A `create` may follow within some 50 ms: what it would wait for can begin. */
  anticipate?(): void;
  /**
   * Set up the container up to its init, which waits. A spec that is still in the making is awaited; when it fails, so does the call.
   *
   * @throws EngineError "invalid" code command-not-found / command-not-executable (exit codes 127 / 126 at the client), "internal" else; nothing is left.
   */
  create(request: OpenTaskRequest, options: { signal: AbortSignal }): Promise<TaskHandle>;
  attach(handle: TaskHandle): Promise<TaskStreams>;
  /** Let init execute the command. @throws as `create`. */
  start(handle: TaskHandle): Promise<void>;
  /** @throws EngineError "conflict" when the task has ended. */
  kill(handle: TaskHandle, signal: number, options?: { all?: boolean }): Promise<void>;
  pause(handle: TaskHandle): Promise<void>;
  resume(handle: TaskHandle): Promise<void>;
  /** Whether it is paused, as the kernel has it; false for one that has ended. */
  isPaused(handle: TaskHandle): boolean;
  /**
   * Give a task that runs other limits: `linux.resources` of the OCI spec; what is left out stays as it is.
   *
   * @throws EngineError "conflict" when the task has ended, "internal" with the runtime's words when the kernel does not take them.
   */
  update(handle: TaskHandle, resources: Readonly<Record<string, unknown>>): Promise<void>;
  resize(handle: TaskHandle, size: { columns: number; rows: number }): Promise<void>;
  /**
   * Tell the monitor to open its log file anew, after a rename. Nothing is done while an order to the monitor still lies there: two of these
   * would put a second new file over the first one's lines. @throws EngineError "conflict" when the monitor has ended.
   */
  reopenLogs(handle: TaskHandle): Promise<void>;
  /** Resolves once the task has exited and its exit code is known, also when that was before the call or before this daemon. */
  wait(handle: TaskHandle, options: { signal: AbortSignal }): Promise<TaskExit>;
  /** Kill what is left, remove cgroup, runtime state and the task's directory. Absent is fine. */
  remove(handle: TaskHandle): Promise<void>;
  /** Pids in the container. */
  processes(handle: TaskHandle): Promise<number[]>;
  /**
   * After a restart of the daemon: given the handles whose start was recorded, kill and remove every task of ours that is not among them.
   * One of them that still waits, since the daemon died before it had let the command go, is let go now. The same for execs: `keepExecs` live on.
   */
  recover(keep: readonly TaskHandle[], keepExecs?: readonly ExecHandle[]): Promise<void>;
  close(): Promise<void>;
}

export interface RuntimeInfo {
  name: 'crun' | 'runc';
  path: string;
  version: string;
  commit: string;
  monitorVersion: string;
  cgroupDriver: 'cgroupfs' | 'systemd';
  cgroupVersion: '1' | '2';
  /** What the host cannot do, in Docker's words (`WARNING: No swap limit support`). */
  warnings: string[];
}
