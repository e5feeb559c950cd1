import type { DiffId } from './digest.ts';
import type { Platform } from './platform.ts';

/** The image configuration blob (OCI image spec, with Docker's additions), decoded and checked. Times are RFC 3339 strings. */
export interface ImageConfig {
  platform: Platform;
  created: string | undefined;
  author: string | undefined;
  config: ImageProcessConfig;
  diffIds: DiffId[];
  history: HistoryEntry[];
}

/** The defaults that an image brings for its containers. */
export interface ImageProcessConfig {
  user: string;
  env: string[];
  entrypoint: string[] | undefined;
  cmd: string[] | undefined;
  workingDir: string;
  exposedPorts: string[];
  volumes: string[];
  labels: Record<string, string>;
  stopSignal: string | undefined;
  shell: string[] | undefined;
  onBuild: string[];
  healthcheck: Healthcheck | undefined;
  argsEscaped: boolean;
}

/** HEALTHCHECK; durations in nanoseconds, 0 = inherit. */
export interface Healthcheck {
  test: string[];
  intervalNs: bigint;
  timeoutNs: bigint;
  startPeriodNs: bigint;
  startIntervalNs: bigint;
  retries: number;
}

export interface HistoryEntry {
  created: string | undefined;
  createdBy: string;
  author: string;
  comment: string;
  emptyLayer: boolean;
}
