import type { Int64 } from './int64.ts';

/** Docker's `HealthConfig`; durations in nanoseconds, 0 = inherit. */
export interface HealthConfig {
  Test?: string[] | null;
  Interval?: Int64;
  Timeout?: Int64;
  Retries?: number;
  StartPeriod?: Int64;
  StartInterval?: Int64;
}

/** Docker's container `Config`, in requests and answers: what Go may leave out or send as null is optional here. */
export interface ContainerConfig {
  Hostname?: string;
  Domainname?: string;
  User?: string;
  AttachStdin?: boolean;
  AttachStdout?: boolean;
  AttachStderr?: boolean;
  ExposedPorts?: Record<string, object> | null;
  Tty?: boolean;
  OpenStdin?: boolean;
  StdinOnce?: boolean;
  Env?: string[] | null;
  Cmd?: string[] | null;
  Healthcheck?: HealthConfig | null;
  ArgsEscaped?: boolean | null;
  Image?: string;
  Volumes?: Record<string, object> | null;
  WorkingDir?: string;
  Entrypoint?: string[] | null;
  NetworkDisabled?: boolean | null;
  /** Deprecated since 1.44; the endpoint's own is meant. */
  MacAddress?: string | null;
  OnBuild?: string[] | null;
  Labels?: Record<string, string> | null;
  StopSignal?: string | null;
  StopTimeout?: number | null;
  Shell?: string[] | null;
}
