/** Body of `POST /containers/{id}/exec`. */
export interface ExecCreateRequest {
  User?: string | null;
  Privileged?: boolean | null;
  Tty?: boolean | null;
  /** Height and width. */
  ConsoleSize?: number[] | null;
  AttachStdin?: boolean | null;
  AttachStdout?: boolean | null;
  AttachStderr?: boolean | null;
  /** Of old; the start says it. */
  Detach?: boolean | null;
  DetachKeys?: string | null;
  Env?: string[] | null;
  WorkingDir?: string | null;
  Cmd?: string[] | null;
}

export interface ExecCreateResponse {
  Id: string;
}

/** Body of `POST /exec/{id}/start`. */
export interface ExecStartRequest {
  Detach?: boolean | null;
  Tty?: boolean | null;
  ConsoleSize?: number[] | null;
}

/** Answer of `GET /exec/{id}/json`. */
export interface ExecInspect {
  ID: string;
  Running: boolean;
  ExitCode: number | null;
  ProcessConfig: {
    tty: boolean;
    entrypoint: string;
    arguments: string[];
    privileged: boolean;
    user?: string;
  };
  OpenStdin: boolean;
  OpenStderr: boolean;
  OpenStdout: boolean;
  CanRemove: boolean;
  ContainerID: string;
  /** Base64. */
  DetachKeys: string;
  Pid: number;
}
