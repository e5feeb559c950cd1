import type { AttachClient } from '../container-backend.ts';

/** Docker's `ExecConfig`. */
export interface ExecConfig {
  /** Not empty. */
  command: string[];
  /** On top of the container's. */
  env: string[];
  /** Empty: the container's. */
  user: string;
  /** Empty: the container's. */
  workingDir: string;
  privileged: boolean;
  tty: boolean;
  attachStdin: boolean;
  attachStdout: boolean;
  attachStderr: boolean;
  /** As typed, `ctrl-p,ctrl-q` in bytes; empty: the default. */
  detachKeys: Uint8Array;
  consoleSize: [rows: number, columns: number] | undefined;
}

export interface ExecView {
  id: string;
  containerId: string;
  config: ExecConfig;
  running: boolean;
  /** Undefined until it has ended. */
  exitCode: number | undefined;
  /** 0 before the start; stays. */
  pid: number;
}

/**
 * Execs as `server/` needs them. An exec is known from its creation until some minutes after its end; one that was not started, until its
 * container stops.
 *
 * Every call that takes an id throws EngineError "not-found" (`No such exec instance: x`).
 */
export interface ExecBackend {
  /** @throws "conflict" when the container does not run or is paused, "invalid" for a user that is not there. */
  createExec(nameOrId: string, config: ExecConfig): Promise<string>;
  inspectExec(id: string): ExecView;
  /** Throws what keeps it from being started, as `startExec` does before it connects: container stopped or paused. */
  checkExec(id: string): void;
  /**
   * Run it. `connect` is called once all that is checked beforehand is right, and its client gets the streams that the exec was created with;
   * resolves then when they have ended or the client has left. Undefined: resolves when the process runs.
   *
   * @throws "conflict" `exec command x is already running`, "invalid" when the command can't be executed; also after `connect`.
   */
  startExec(
    id: string,
    options: { consoleSize?: [rows: number, columns: number] | undefined },
    connect: (() => AttachClient) | undefined,
  ): Promise<void>;
  /** @throws "not-found" when it has ended. */
  resizeExec(id: string, size: { columns: number; rows: number }): Promise<void>;
}
