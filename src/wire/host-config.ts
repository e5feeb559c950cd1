import type { Int64 } from './int64.ts';

export interface PortBinding {
  HostIp: string;
  HostPort: string;
}

export interface RestartPolicy {
  Name?: '' | 'no' | 'always' | 'unless-stopped' | 'on-failure';
  MaximumRetryCount?: number;
}

export interface LogConfig {
  Type?: string;
  Config?: Record<string, string> | null;
}

export interface ThrottleDevice {
  Path: string;
  Rate: Int64;
}

export interface DeviceMapping {
  PathOnHost: string;
  PathInContainer: string;
  CgroupPermissions: string;
}

export interface DeviceRequest {
  Driver?: string;
  Count?: number;
  DeviceIDs?: string[] | null;
  Capabilities?: string[][] | null;
  Options?: Record<string, string> | null;
}

export interface Ulimit {
  Name: string;
  Soft: Int64;
  Hard: Int64;
}

/** Docker's `Resources`, the part of HostConfig that limits. Bytes, microseconds, nano-CPUs. */
export interface Resources {
  CpuShares?: Int64;
  Memory?: Int64;
  NanoCpus?: Int64;
  CgroupParent?: string;
  BlkioWeight?: number;
  BlkioWeightDevice?: { Path: string; Weight: number }[] | null;
  BlkioDeviceReadBps?: ThrottleDevice[] | null;
  BlkioDeviceWriteBps?: ThrottleDevice[] | null;
  BlkioDeviceReadIOps?: ThrottleDevice[] | null;
  BlkioDeviceWriteIOps?: ThrottleDevice[] | null;
  CpuPeriod?: Int64;
  CpuQuota?: Int64;
  CpuRealtimePeriod?: Int64;
  CpuRealtimeRuntime?: Int64;
  CpusetCpus?: string;
  CpusetMems?: string;
  Devices?: DeviceMapping[] | null;
  DeviceCgroupRules?: string[] | null;
  DeviceRequests?: DeviceRequest[] | null;
  KernelMemory?: Int64;
  KernelMemoryTCP?: Int64;
  MemoryReservation?: Int64;
  MemorySwap?: Int64;
  /** -1 or null: the host's. */
  MemorySwappiness?: Int64 | null;
  OomKillDisable?: boolean | null;
  Init?: boolean | null;
  PidsLimit?: Int64 | null;
  Ulimits?: Ulimit[] | null;
  /** Windows only, as the three after it. */
  CpuCount?: Int64;
  CpuPercent?: Int64;
  IOMaximumIOps?: Int64;
  IOMaximumBandwidth?: Int64;
}

/** An entry of `HostConfig.Mounts`. */
export interface MountSpec {
  Type?: 'bind' | 'volume' | 'tmpfs' | 'image' | 'npipe' | 'cluster';
  Source?: string;
  Target?: string;
  ReadOnly?: boolean;
  Consistency?: string;
  BindOptions?: object | null;
  VolumeOptions?: object | null;
  ImageOptions?: object | null;
  TmpfsOptions?: object | null;
}

/** Docker's `HostConfig`, in requests and answers. */
export interface HostConfig extends Resources {
  Binds?: string[] | null;
  ContainerIDFile?: string;
  LogConfig?: LogConfig;
  NetworkMode?: string;
  PortBindings?: Record<string, PortBinding[] | null> | null;
  RestartPolicy?: RestartPolicy;
  AutoRemove?: boolean;
  VolumeDriver?: string;
  VolumesFrom?: string[] | null;
  Mounts?: MountSpec[] | null;
  /** Rows, columns. */
  ConsoleSize?: [number, number] | null;
  Annotations?: Record<string, string> | null;
  CapAdd?: string[] | null;
  CapDrop?: string[] | null;
  CgroupnsMode?: string;
  Dns?: string[] | null;
  DnsOptions?: string[] | null;
  DnsSearch?: string[] | null;
  ExtraHosts?: string[] | null;
  GroupAdd?: string[] | null;
  IpcMode?: string;
  Cgroup?: string;
  Links?: string[] | null;
  OomScoreAdj?: number;
  PidMode?: string;
  Privileged?: boolean;
  PublishAllPorts?: boolean;
  ReadonlyRootfs?: boolean;
  SecurityOpt?: string[] | null;
  StorageOpt?: Record<string, string> | null;
  Tmpfs?: Record<string, string> | null;
  UTSMode?: string;
  UsernsMode?: string;
  ShmSize?: Int64;
  Sysctls?: Record<string, string> | null;
  Runtime?: string;
  Isolation?: string;
  MaskedPaths?: string[] | null;
  ReadonlyPaths?: string[] | null;
  /** Sampan's own: `none`, `kill`, `restart` or `stop` a container that turns unhealthy. */
  HealthOnFailure?: string;
}
