/** The parts of the API's answers that callers lean on; whatever else a daemon sends is there too. */

import type { VolumeInspect } from '../wire/volume.ts';

export type { BuildMessage } from '../wire/build.ts';
export type { DistributionInspect, DistributionManifest } from '../wire/distribution.ts';
export type { ExecInspect } from '../wire/exec.ts';
export type {
  ImageSearchResult,
  ImageSummary,
  ImageTagList,
  ManifestSummary,
  PushResult,
} from '../wire/image.ts';
export type { FileChange, ImageDiff } from '../wire/image-diff.ts';
export type { ImageLayer, ImageLayers, LayerEntry } from '../wire/image-layers.ts';
export type { AuthConfig } from '../wire/registry-auth.ts';
export type { AuthResponse, BuildCacheRecord, DiskUsage, VolumeUsage } from '../wire/system.ts';
export type { VolumeInspect } from '../wire/volume.ts';

type Counter = number | bigint;

interface CpuStats {
  cpu_usage?: { total_usage: Counter; percpu_usage?: Counter[] | null };
  system_cpu_usage?: Counter;
  online_cpus?: number;
}

/** What `GET /containers/{id}/stats` tells; all of it is left out or 0 for a container that does not run. */
export interface ContainerStatsAnswer {
  name?: string;
  id?: string;
  read: string;
  preread: string;
  cpu_stats?: CpuStats;
  precpu_stats?: CpuStats;
  memory_stats?: { usage?: Counter; limit?: Counter; stats?: Record<string, Counter> };
  pids_stats?: { current?: Counter; limit?: Counter };
  blkio_stats?: { io_service_bytes_recursive?: { op: string; value: Counter }[] | null };
  networks?: Record<string, { rx_bytes: Counter; tx_bytes: Counter }>;
}

export interface PortSummary {
  IP?: string;
  PrivatePort: number;
  PublicPort?: number;
  Type: string;
}

export interface ContainerSummary {
  Id: string;
  Names: string[] | null;
  Image: string;
  ImageID: string;
  Command: string;
  Created: number;
  Ports: PortSummary[] | null;
  SizeRw?: number;
  SizeRootFs?: number;
  Labels: Record<string, string> | null;
  State: string;
  Status: string;
  NetworkSettings?: { Networks?: Record<string, unknown> | null } | null;
  Mounts?: { Type?: string; Name?: string; Source?: string; Driver?: string }[] | null;
  ImageManifestDescriptor?: { platform?: { os?: string; architecture?: string; variant?: string } } | null;
}

export interface ContainerCreated {
  Id: string;
  Warnings: string[] | null;
}

export interface ContainerInspect {
  Id: string;
  Name: string;
  Image: string;
  State: {
    Status: string;
    Running: boolean;
    Paused: boolean;
    Restarting: boolean;
    ExitCode: number;
    Error?: string;
    [key: string]: unknown;
  };
  Config: { Tty: boolean; OpenStdin: boolean; StdinOnce?: boolean; [key: string]: unknown };
  HostConfig?: { AutoRemove?: boolean; [key: string]: unknown };
  NetworkSettings?: {
    Ports?: Record<string, { HostIp: string; HostPort: string }[] | null> | null;
    [key: string]: unknown;
  };
  [key: string]: unknown;
}

export interface WaitResult {
  StatusCode: number;
  Error?: { Message?: string } | null;
}

export interface TopResult {
  Titles: string[] | null;
  Processes: string[][] | null;
}

export interface HistoryEntry {
  Id: string;
  Created: number;
  CreatedBy: string;
  Tags: string[] | null;
  Size: number;
  Comment: string;
}

export interface ImageDeleted {
  Untagged?: string;
  Deleted?: string;
}

export interface PruneResult {
  ContainersDeleted?: string[] | null;
  ImagesDeleted?: ImageDeleted[] | null;
  NetworksDeleted?: string[] | null;
  VolumesDeleted?: string[] | null;
  CachesDeleted?: string[] | null;
  SpaceReclaimed?: number;
}

/** One line of a pull, push, import or load. */
export interface ProgressMessage {
  id?: string;
  status?: string;
  stream?: string;
  progress?: string;
  progressDetail?: {
    current?: number | bigint;
    total?: number | bigint;
    start?: number;
    units?: string;
    hidecounts?: boolean;
  };
  error?: string;
  errorDetail?: { code?: number; message?: string };
  time?: number;
  timeNano?: number | bigint;
  from?: string;
  aux?: unknown;
}

export interface EventMessage {
  status?: string;
  id?: string;
  from?: string;
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> | null };
  scope?: string;
  time?: number;
  timeNano?: number | bigint;
}

export interface NetworkSummary {
  Name: string;
  Id: string;
  Created: string;
  Scope: string;
  Driver: string;
  EnableIPv4?: boolean;
  EnableIPv6: boolean;
  Internal: boolean;
  Labels: Record<string, string> | null;
}

export interface VolumeList {
  Volumes: VolumeInspect[] | null;
  Warnings: string[] | null;
}
