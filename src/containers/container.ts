import type { PublishedPort } from '../network/ports/published-ports.ts';
import type { ChainId, Digest } from '../oci/digest.ts';
import type { Healthcheck } from '../oci/image-config.ts';
import type { Platform } from '../oci/platform.ts';
import type { HardwareOptions } from '../runtime/spec/hardware-options.ts';
import type { SpecResources } from '../runtime/spec/spec-input.ts';
import type { Health, HealthFailureAction } from './health/health.ts';
import type { MountRequest } from './mounts/mount-point.ts';
import type { NetworkEndpointView } from './networking/endpoint-view.ts';
import type { PortBindings } from './ports/port-binding.ts';

/** What the process in the container is: the image's defaults with the user's words on top. Docker's `Config`. */
export interface ContainerConfig {
  hostname: string;
  domainname: string;
  user: string;
  attachStdin: boolean;
  attachStdout: boolean;
  attachStderr: boolean;
  tty: boolean;
  openStdin: boolean;
  stdinOnce: boolean;
  env: string[];
  cmd: string[] | undefined;
  entrypoint: string[] | undefined;
  /** The image as the user named it. */
  image: string;
  labels: Record<string, string>;
  workingDir: string;
  /** `80/tcp` */
  exposedPorts: string[];
  volumes: string[];
  stopSignal: string | undefined;
  stopTimeoutSeconds: number | undefined;
  healthcheck: Healthcheck | undefined;
  shell: string[] | undefined;
  onBuild: string[];
  networkDisabled: boolean;
}

/** How the container sits on this host. Docker's `HostConfig`; sizes in bytes, durations as named. 0, '' and [] mean "as is". */
export interface HostOptions {
  autoRemove: boolean;
  /** `source:destination[:options]` as typed. */
  binds: string[];
  tmpfs: Record<string, string>;
  mounts: MountRequest[];
  /** `container[:mode]` as typed. */
  volumesFrom: string[];
  /** For volumes that are made with the container. */
  volumeDriver: string;
  networkMode: string;
  pidMode: string;
  ipcMode: string;
  utsMode: string;
  cgroupnsMode: string;
  usernsMode: string;
  privileged: boolean;
  readonlyRootfs: boolean;
  capAdd: string[];
  capDrop: string[];
  securityOpt: string[];
  groupAdd: string[];
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  extraHosts: string[];
  shmSizeBytes: number;
  sysctls: Record<string, string>;
  ulimits: { name: string; soft: number; hard: number }[];
  oomScoreAdj: number;
  oomKillDisable: boolean;
  init: boolean | undefined;
  runtime: string;
  /** '' or `default`: there is no other on Linux. */
  isolation: string;
  consoleSize: [rows: number, columns: number];
  logConfig: { type: string; config: Record<string, string> };
  restartPolicy: { name: '' | 'no' | 'always' | 'unless-stopped' | 'on-failure'; maximumRetryCount: number };
  maskedPaths: string[] | undefined;
  readonlyPaths: string[] | undefined;
  cgroupParent: string;
  annotations: Record<string, string>;
  /** As given. */
  storageOpt: Record<string, string>;
  /** The most that its own files may take on disk; 0: no limit. */
  sizeLimitBytes: number;
  /** Undefined: nothing is asked of the host's devices. */
  hardware?: HardwareOptions | undefined;
  /** `container[:alias]` as typed. */
  links: string[];
  portBindings: PortBindings;
  publishAllPorts: boolean;
  /** Lists that were given and are empty, by Docker's names: shown as such, where one that was left out is null. */
  emptyLists: string[];
  resources: SpecResources;
  /** Ours, beyond Docker's. Absent: none. */
  healthOnFailure?: HealthFailureAction;
}

export type ContainerStatus =
  | 'created'
  | 'running'
  | 'paused'
  | 'restarting'
  | 'removing'
  | 'exited'
  | 'dead';

export interface ContainerState {
  status: ContainerStatus;
  pid: number;
  exitCode: number;
  oomKilled: boolean;
  error: string;
  /** 0n: never. */
  startedAtNano: bigint;
  finishedAtNano: bigint;
  /** Undefined: never checked. */
  health: Health | undefined;
}

/** Which image a container stands on; it keeps for life what it was created on. */
export interface ContainerImage {
  /** The image's ID: digest of the index or manifest as received. */
  id: Digest;
  manifestDigest: Digest;
  configDigest: Digest;
  /** undefined: an image without layers. */
  chainId: ChainId | undefined;
  platform: Platform;
}

/** Everything one can see of a container. */
export interface ContainerView {
  id: string;
  /** Without the leading slash. */
  name: string;
  createdNano: bigint;
  config: ContainerConfig;
  host: HostOptions;
  image: ContainerImage;
  /** Command line as it runs: entrypoint then cmd. */
  path: string;
  args: string[];
  state: ContainerState;
  restartCount: number;
  /** This path and those below are '' before the first start. */
  logPath: string;
  driver: string;
  /** Its AppArmor profile: as asked for, and once it has been started as it is; '' for none. */
  readonly appArmorProfile: string;
  endpoints: NetworkEndpointView[];
  /** Where its network namespace is pinned while it runs; '' with the host's. Undefined: it does not run. */
  sandboxPath: string | undefined;
  mounts: MountView[];
  resolvConfPath: string;
  hostnamePath: string;
  hostsPath: string;
  /** `/target:/own/alias`, of those that are there. */
  links: string[];
  /** What it is called where others have a link to it: `/parent/alias`. */
  linkNames: string[];
  /** Its published ports, while it runs. */
  ports: PublishedPort[];
  /** Execs that were made in its present run and have not ended. */
  execIds: string[];
}

export interface MountView {
  type: 'bind' | 'volume' | 'tmpfs' | 'image';
  name?: string;
  source: string;
  /** What of the source is mounted; absent or '': all of it. */
  subpath?: string;
  destination: string;
  driver?: string;
  mode: string;
  readWrite: boolean;
  propagation: string;
}
