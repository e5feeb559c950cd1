import type { DriverData } from './container.ts';
import type { HealthConfig } from './container-config.ts';
import type { Int64 } from './int64.ts';
import type { OciDescriptor } from './oci-descriptor.ts';

/** An element of `GET /images/json`. */
export interface ImageSummary {
  Id: string;
  ParentId: string;
  RepoTags: string[] | null;
  RepoDigests: string[] | null;
  /** Seconds since 1970. */
  Created: number;
  Size: Int64;
  /** -1: not asked for. */
  SharedSize: Int64;
  Labels: Record<string, string> | null;
  /** -1: not asked for. */
  Containers: number;
  Descriptor?: OciDescriptor;
  /** Below API 1.44. */
  VirtualSize?: Int64;
}

/** An image's defaults for its containers. Docker leaves out what is empty below. */
export interface ImageConfig {
  User?: string;
  ExposedPorts?: Record<string, object> | null;
  Env?: string[] | null;
  Cmd?: string[] | null;
  Healthcheck?: HealthConfig | null;
  ArgsEscaped?: boolean;
  Volumes?: Record<string, object> | null;
  WorkingDir?: string;
  Entrypoint?: string[] | null;
  OnBuild?: string[] | null;
  Labels?: Record<string, string> | null;
  StopSignal?: string;
  Shell?: string[] | null;
}

/** Answer of `GET /images/{name}/json`. */
export interface ImageInspect {
  Id: string;
  Descriptor?: OciDescriptor;
  RepoTags: string[];
  RepoDigests: string[];
  Parent: string;
  Comment: string;
  /** Left out where the image tells none. */
  Created?: string;
  DockerVersion: string;
  Author: string;
  Config: ImageConfig | null;
  /** Below API 1.45: empty, since no container is committed for an image's sake. */
  ContainerConfig?: Record<string, string | boolean | null>;
  Architecture: string;
  Variant?: string;
  Os: string;
  OsVersion?: string;
  Size: Int64;
  /** Below API 1.44. */
  VirtualSize?: Int64;
  GraphDriver: DriverData;
  RootFS: { Type: string; Layers?: string[] };
  Metadata: { LastTagTime: string };
}

/** An element of `GET /images/{name}/history`, newest first. */
export interface ImageHistoryItem {
  /** `<missing>` on rows that are no image of their own. */
  Id: string;
  /** Seconds since 1970. */
  Created: number;
  CreatedBy: string;
  Tags: string[] | null;
  Size: Int64;
  Comment: string;
}

/** An element of the answers of `DELETE /images/{name}` and `POST /images/prune`. */
export interface ImageDeleteItem {
  Untagged?: string;
  Deleted?: string;
}

export interface ImagePruneResponse {
  ImagesDeleted: ImageDeleteItem[] | null;
  SpaceReclaimed: Int64;
}

/** One line of the progress streams of pull, import and build. */
export interface ProgressMessage {
  stream?: string;
  status?: string;
  id?: string;
  progress?: string;
  progressDetail?: { current?: Int64; total?: Int64; start?: Int64; units?: string; hidecounts?: boolean };
  error?: string;
  errorDetail?: { code?: number; message: string };
  aux?: unknown;
}
