import type { TaskExit, TaskHandle, TaskStreams } from './runtime.ts';
import type { RuntimeSpec, SpecProcess } from './runtime-spec.ts';

/** Another process in a task's container. */
export interface ExecRequest {
  /** Unique among all execs; a file is named after it. */
  execId: string;
  /** Folder for this exec (process spec, pid file, exit directory, attach socket): on tmpfs, made by the runtime, removed by `removeExec`. */
  directory: string;
  /** `terminal` in it is the exec's. It may still be in the making while other things are done. */
  process: SpecProcess | Promise<SpecProcess>;
  terminal: boolean;
  /** Whether the process has a stdin at all. */
  stdin: boolean;
}

/** As `TaskHandle`: plain data, enough to find the process again after the daemon died. `id` is the task's. */
export interface ExecHandle extends TaskHandle {
  execId: string;
}

export interface ExecOptions {
  /** Until the process runs; after that the exec is ended by `killExec`. */
  signal: AbortSignal;
  /** Gets the process's streams before it is made, so that no byte is lost. Without it the output is dropped, and stdin is at its end. */
  joined?: (streams: TaskStreams) => void;
}

/**
 * Processes that are run in a container beside its own, each under a monitor of its own that outlives the daemon and keeps the exit code.
 * They end with their task.
 */
export interface ExecRuntime {
  /** What the task was made with: an exec's process is this one, changed. @throws EngineError "conflict" when the task has gone. */
  specOf(task: TaskHandle): Promise<RuntimeSpec>;
  /**
   * Run a process in the task's container. It joins all of the container: namespaces, cgroup, seccomp filter.
   *
   * @throws EngineError "invalid" code command-not-found / command-not-executable (exit codes 127 / 126) in runc's words, "conflict" when
   * the task has ended, "internal" else; nothing is left then, and the streams, if they were joined, have ended.
   */
  exec(task: TaskHandle, request: ExecRequest, options: ExecOptions): Promise<ExecHandle>;
  /** @throws EngineError "conflict" when the process has ended. */
  killExec(handle: ExecHandle, signal: number): Promise<void>;
  resizeExec(handle: ExecHandle, size: { columns: number; rows: number }): Promise<void>;
  /** Resolves once the process has exited and its exit code is known, also when that was before the call or before this daemon. */
  waitExec(handle: ExecHandle, options: { signal: AbortSignal }): Promise<TaskExit>;
  /** Kill what is left of it and remove its directory. Absent is fine. */
  removeExec(handle: ExecHandle): Promise<void>;
}
