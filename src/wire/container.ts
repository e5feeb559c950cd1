import type { ContainerConfig } from './container-config.ts';
import type { HostConfig } from './host-config.ts';
import type { Int64 } from './int64.ts';
import type { EndpointSettings, NetworkSettings } from './network.ts';
import type { OciDescriptor } from './oci-descriptor.ts';

/** Body of `POST /containers/create`. */
export interface ContainerCreateRequest extends ContainerConfig {
  HostConfig?: HostConfig | null;
  NetworkingConfig?: { EndpointsConfig?: Record<string, Partial<EndpointSettings> | null> | null } | null;
}

export interface ContainerCreateResponse {
  Id: string;
  Warnings: string[];
}

/** Answer of `POST /containers/{id}/update`. */
export interface ContainerUpdateResponse {
  Warnings: string[] | null;
}

export type ContainerStatus =
  | 'created'
  | 'running'
  | 'paused'
  | 'restarting'
  | 'removing'
  | 'exited'
  | 'dead';

export interface ContainerHealth {
  Status: 'none' | 'starting' | 'healthy' | 'unhealthy';
  FailingStreak: number;
  Log: { Start: string; End: string; ExitCode: number; Output: string }[] | null;
}

/** Times are RFC 3339 with nanoseconds; `0001-01-01T00:00:00Z` is never. */
export interface ContainerState {
  Status: ContainerStatus;
  Running: boolean;
  Paused: boolean;
  Restarting: boolean;
  OOMKilled: boolean;
  Dead: boolean;
  Pid: number;
  ExitCode: number;
  Error: string;
  StartedAt: string;
  FinishedAt: string;
  Health?: ContainerHealth;
}

export interface MountPoint {
  Type?: string;
  Name?: string;
  Source: string;
  Destination: string;
  Driver?: string;
  Mode: string;
  RW: boolean;
  Propagation: string;
}

export interface DriverData {
  Name: string;
  Data: Record<string, string> | null;
}

/** Answer of `GET /containers/{id}/json`. */
export interface ContainerInspect {
  Id: string;
  Created: string;
  Path: string;
  Args: string[];
  State: ContainerState;
  Image: string;
  ResolvConfPath: string;
  HostnamePath: string;
  HostsPath: string;
  LogPath: string;
  /** With a leading slash. */
  Name: string;
  RestartCount: number;
  Driver: string;
  Platform: string;
  ImageManifestDescriptor?: OciDescriptor;
  MountLabel: string;
  ProcessLabel: string;
  AppArmorProfile: string;
  ExecIDs: string[] | null;
  HostConfig: HostConfig;
  GraphDriver: DriverData;
  SizeRw?: Int64;
  SizeRootFs?: Int64;
  Mounts: MountPoint[];
  Config: ContainerConfig;
  NetworkSettings: NetworkSettings;
}

export interface PortSummary {
  IP?: string;
  PrivatePort: number;
  PublicPort?: number;
  Type: 'tcp' | 'udp' | 'sctp';
}

/** An element of `GET /containers/json`. */
export interface ContainerSummary {
  Id: string;
  /** Each with a leading slash. */
  Names: string[];
  Image: string;
  ImageID: string;
  ImageManifestDescriptor?: OciDescriptor;
  Command: string;
  /** Seconds since 1970. */
  Created: number;
  Ports: PortSummary[];
  SizeRw?: Int64;
  SizeRootFs?: Int64;
  Labels: Record<string, string>;
  State: ContainerStatus;
  /** `Up 5 seconds`, `Exited (0) 3 minutes ago`. */
  Status: string;
  HostConfig: { NetworkMode?: string; Annotations?: Record<string, string> };
  NetworkSettings: { Networks: Record<string, EndpointSettings> };
  Mounts: MountPoint[];
}

/** Answer of `GET /containers/{id}/top`. */
export interface ContainerTopResponse {
  Titles: string[];
  Processes: string[][];
}

/** Answer of `POST /containers/prune`. */
export interface ContainerPruneResponse {
  ContainersDeleted: string[] | null;
  SpaceReclaimed: Int64;
}
