import type { BuildBackend } from '../builder/build-backend.ts';
import type { BuildkitBackend } from '../buildkit/buildkit-endpoint.ts';
import type { ContainerBackend } from '../containers/container-backend.ts';
import type { ExecBackend } from '../containers/exec/exec-backend.ts';
import type { LifelineBackend } from '../containers/lifelines/lifeline-backend.ts';
import type { NetworkBackend } from '../containers/networking/network-backend.ts';
import type { Logger } from '../errors/logger.ts';
import type { ImageBackend } from '../images/image-backend.ts';
import type { VolumeBackend } from '../volumes/volume-backend.ts';
import type { RegistryBackend } from './registry-backend.ts';
import type { SystemBackend } from './system-backend.ts';

/** The engine, as the API serves it. */
export interface Backends {
  buildkit: BuildkitBackend;
  containers: ContainerBackend;
  execs: ExecBackend;
  images: ImageBackend;
  lifelines: LifelineBackend;
  builder: BuildBackend;
  networks: NetworkBackend;
  volumes: VolumeBackend;
  registry: RegistryBackend;
  system: SystemBackend;
}

/** What this build is; told by `/version` and in the `Server` header. */
export interface BuildInfo {
  version: string;
  gitCommit: string;
  /** RFC 3339, or empty. */
  buildTime: string;
}

/** A call of the API that has ended. */
export interface ApiCall {
  method: string;
  /** Of its route: `/containers/{}/start`. */
  pattern: string;
  failed: boolean;
  seconds: number;
}

export interface ServerOptions {
  build: BuildInfo;
  logger: Logger;
  /** Told of each call at its end. */
  observe?: (call: ApiCall) => void;
  /** At one time, for each listener: each takes a file descriptor, and the engine's work needs some too. */
  maxConnections?: number;
}

/** Where requests come in; decides which of the checks against browsers apply. */
export interface ListenerKind {
  /** TCP without client certificates: `Origin` and foreign `Host` are refused. */
  guarded: boolean;
}
