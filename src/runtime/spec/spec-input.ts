import type { IdMap } from '../../sys/id-map.ts';
import type { SpecMount } from '../runtime-spec.ts';
import type { HardwareOptions } from './hardware-options.ts';

/** What a container's spec is made of. `host` takes a `HostOptions` of `containers/` as it is. */
export interface SpecInput {
  containerId: string;
  /** Mounted root file system: user, group and devices are looked up in it. */
  rootDirectory: string;
  process: SpecInputProcess;
  host: SpecHostOptions;
  /** Bind mounts and volumes, sources resolved and made. */
  binds: readonly SpecBind[];
  /** Further mounts as they are, e.g. /etc/hosts; read-only with a read-only root. */
  mounts: readonly SpecMount[];
  /** Paths of namespaces to join; those absent are made new or are the host's, by `host`'s modes. */
  namespacePaths: { network?: string; pid?: string; ipc?: string; uts?: string };
  /** The user namespace to run in, by a path, with its map; absent: the host's. Those at `namespacePaths` belong to it. */
  userNamespace?: { path: string; map: IdMap } | undefined;
  /** `--security-opt`s before the container's own: the daemon's defaults. */
  securityDefaults?: readonly string[];
  /** A tmpfs that others see too, to be its `/dev/shm`; absent: one of its own. */
  sharedMemory?: string | undefined;
  /** Used where `host.cgroupParent` is empty: `/sampan-x`, or a slice with the systemd driver. */
  cgroupParent: string;
  cgroupDriver: 'cgroupfs' | 'systemd';
  cgroupVersion: '1' | '2';
}

export interface SpecInputProcess {
  /** Entrypoint and command. Not empty. */
  args: readonly string[];
  /** The image's and the user's, merged: `NAME=value`, or `NAME` to take a default away. */
  env: readonly string[];
  workingDir: string;
  user: string;
  terminal: boolean;
  hostname: string;
  domainname: string;
}

/** The part of Docker's HostConfig that the spec depends on; sizes in bytes; 0, '' and [] mean "as is". */
export interface SpecHostOptions {
  privileged: boolean;
  readonlyRootfs: boolean;
  capAdd: readonly string[];
  capDrop: readonly string[];
  securityOpt: readonly string[];
  groupAdd: readonly string[];
  tmpfs: Readonly<Record<string, string>>;
  networkMode: string;
  pidMode: string;
  ipcMode: string;
  utsMode: string;
  cgroupnsMode: string;
  shmSizeBytes: number;
  sysctls: Readonly<Record<string, string>>;
  ulimits: readonly { name: string; soft: number; hard: number }[];
  oomScoreAdj: number;
  oomKillDisable: boolean;
  consoleSize: readonly [rows: number, columns: number];
  maskedPaths: readonly string[] | undefined;
  readonlyPaths: readonly string[] | undefined;
  cgroupParent: string;
  annotations: Readonly<Record<string, string>>;
  hardware?: HardwareOptions | undefined;
  resources: SpecResources;
}

export interface SpecResources {
  memoryBytes: bigint;
  memoryReservationBytes: bigint;
  /** 0n: twice the memory. -1n: unlimited. */
  memorySwapBytes: bigint;
  cpuShares: number;
  nanoCpus: bigint;
  cpuPeriodUs: number;
  cpuQuotaUs: number;
  cpusetCpus: string;
  cpusetMems: string;
  blkioWeight: number;
  /** 0 or -1: unlimited. */
  pidsLimit: number;
  /** 0 to 100; -1: as is. */
  memorySwappiness: number;
}

export interface SpecBind {
  /** Absolute path on the host. */
  source: string;
  destination: string;
  readOnly: boolean;
  /** `rprivate`, `rslave` …; left out, none is set. */
  propagation?: string;
  /** Where the source's mount has no peers, `rprivate` instead of an error. */
  propagationImplied?: boolean | undefined;
  /** Without what is mounted below the source. */
  nonRecursive?: boolean;
  /** What is mounted below a read-only source: `try` and `always` make it read-only too. */
  readOnlyBelow?: 'try' | 'never' | 'always';
  /** What stands at the source; left out, it is looked for: where a server may be gone, that takes for ever. */
  found?: SourcePlace | undefined;
}

/** What stands at a path of the host's. */
export interface SourcePlace {
  /** Without links. */
  realPath: string;
  directory: boolean;
}

export interface SpecDeviceRequest {
  pathOnHost: string;
  pathInContainer: string;
  /** `rwm` or a part of it. */
  cgroupPermissions: string;
}
