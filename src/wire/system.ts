import type { ContainerSummary } from './container.ts';
import type { ImageSummary } from './image.ts';
import type { Int64 } from './int64.ts';
import type { VolumeInspect } from './volume.ts';

/** Answer of `GET /version`. */
export interface SystemVersion {
  Platform: { Name: string };
  Components: { Name: string; Version: string; Details: Record<string, string> | null }[];
  Version: string;
  ApiVersion: string;
  MinAPIVersion: string;
  GitCommit: string;
  GoVersion: string;
  Os: string;
  Arch: string;
  KernelVersion?: string;
  Experimental?: boolean;
  BuildTime?: string;
}

/** The build of a program that the engine runs. */
export interface Commit {
  ID: string;
  /** Below API 1.49. */
  Expected?: string;
}

/** Answer of `GET /info`. */
export interface SystemInfo {
  ID: string;
  Containers: number;
  ContainersRunning: number;
  ContainersPaused: number;
  ContainersStopped: number;
  Images: number;
  Driver: string;
  DriverStatus: [string, string][];
  DockerRootDir: string;
  Plugins: {
    Volume: string[] | null;
    Network: string[] | null;
    Authorization: string[] | null;
    Log: string[] | null;
  };
  MemoryLimit: boolean;
  SwapLimit: boolean;
  CpuCfsPeriod: boolean;
  CpuCfsQuota: boolean;
  CPUShares: boolean;
  CPUSet: boolean;
  PidsLimit: boolean;
  OomKillDisable: boolean;
  IPv4Forwarding: boolean;
  Debug: boolean;
  NFd: number;
  NGoroutines: number;
  SystemTime: string;
  LoggingDriver: string;
  CgroupDriver: string;
  CgroupVersion: string;
  NEventsListener: number;
  KernelVersion: string;
  OperatingSystem: string;
  OSVersion: string;
  OSType: string;
  Architecture: string;
  NCPU: number;
  MemTotal: Int64;
  IndexServerAddress: string;
  RegistryConfig: {
    /** Below API 1.47. */
    AllowNondistributableArtifactsCIDRs?: string[] | null;
    /** Below API 1.47. */
    AllowNondistributableArtifactsHostnames?: string[] | null;
    InsecureRegistryCIDRs: string[];
    IndexConfigs: Record<string, RegistryIndex>;
    Mirrors: string[] | null;
  };
  GenericResources: null;
  HttpProxy: string;
  HttpsProxy: string;
  NoProxy: string;
  Name: string;
  Labels: string[];
  ExperimentalBuild: boolean;
  ServerVersion: string;
  Runtimes: Record<string, { path?: string; runtimeArgs?: string[]; status?: Record<string, string> }>;
  DefaultRuntime: string;
  Swarm: {
    NodeID: string;
    NodeAddr: string;
    LocalNodeState: string;
    ControlAvailable: boolean;
    Error: string;
    RemoteManagers: null;
  };
  LiveRestoreEnabled: boolean;
  Isolation: string;
  InitBinary: string;
  ContainerdCommit: Commit;
  RuncCommit: Commit;
  InitCommit: Commit;
  SecurityOptions: string[];
  FirewallBackend?: { Driver: string; Info?: [string, string][] };
  /** Below API 1.50. */
  BridgeNfIptables?: boolean;
  /** Below API 1.50. */
  BridgeNfIp6tables?: boolean;
  CDISpecDirs: string[] | null;
  Warnings: string[] | null;
}

export interface RegistryIndex {
  Name: string;
  Mirrors: string[];
  Secure: boolean;
  Official: boolean;
}

/** One line of `GET /events`. `status`, `id` and `from` are told for containers and images below API 1.52. */
export interface EventMessage {
  status?: string;
  id?: string;
  from?: string;
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope?: 'local' | 'swarm';
  /** Seconds since 1970. */
  time: number;
  timeNano: Int64;
}

/** Answer of `GET /system/df`. */
export interface DiskUsage {
  /** Bytes of all layers, each counted once. */
  LayersSize: Int64;
  Images: ImageSummary[] | null;
  Containers: ContainerSummary[] | null;
  Volumes: VolumeUsage[] | null;
  BuildCache: BuildCacheRecord[] | null;
  /** Every byte of the data root by its owner, where no type was asked for. Sampan's own. */
  Owners?: { Name: string; Size: Int64 }[];
}

/** A volume as `GET /system/df` counts it. */
export interface VolumeUsage extends VolumeInspect {
  /** -1: not known. */
  UsageData?: { RefCount: number; Size: Int64 } | null;
}

export interface BuildCacheRecord {
  ID: string;
  /** Before API 1.42. */
  Parent?: string;
  Parents?: string[] | null;
  Type: string;
  Description: string;
  InUse: boolean;
  Shared: boolean;
  Size: Int64;
  CreatedAt: string;
  LastUsedAt: string | null;
  UsageCount: number;
}

/** Answer of `POST /auth`. */
export interface AuthResponse {
  Status: string;
  IdentityToken: string;
}

/** Every refusal's body. */
export interface ErrorResponse {
  message: string;
  /** What the user can do about it. Sampan's own. */
  hint?: string;
}
