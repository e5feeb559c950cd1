import type { DriverData } from './container.ts';
import type { HealthConfig } from './container-config.ts';
import type { Int64 } from './int64.ts';
import type { OciDescriptor, OciPlatform } from './oci-descriptor.ts';
import type { TlsVerifyQuery } from './registry-auth.ts';

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
  /** With `manifests=1`, from API 1.47. */
  Manifests?: ManifestSummary[];
  /** Below API 1.44. */
  VirtualSize?: Int64;
}

/** One manifest of an image's index, here or not. */
export interface ManifestSummary {
  /** Its digest. */
  ID: string;
  Descriptor: OciDescriptor;
  /** Whether all its content is here. */
  Available: boolean;
  Size: {
    /** Bytes of its blobs in the content store. */
    Content: Int64;
    /** Content and what is unpacked of it. */
    Total: Int64;
  };
  Kind: 'image' | 'attestation' | 'unknown';
  /** Of kind `image`. */
  ImageData?: { Platform: OciPlatform; Size: { Unpacked: Int64 }; Containers: string[] | null };
  /** Of kind `attestation`: the digest of the manifest that it speaks of. */
  AttestationData?: { For: string };
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
  /** With `manifests=1`, from API 1.48. */
  Manifests?: ManifestSummary[];
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

/** An element of the answer of `GET /images/search`. */
export interface ImageSearchResult {
  name: string;
  description: string;
  star_count: number;
  is_official: boolean;
  /** Gone from the hub; always false. */
  is_automated: boolean;
}

/** `aux` of the last line of a push: what the tag names in the registry now. */
export interface PushResult {
  Tag: string;
  Digest: string;
  Size: Int64;
}

/** `aux` of a push that sent one platform's manifest, since the index isn't whole here. */
export interface ManifestPushedInsteadOfIndex {
  manifestPushedInsteadOfIndex: true;
  originalIndex: OciDescriptor;
  selectedManifest: OciDescriptor;
}

/** `aux` of a push that failed for content that is neither here nor in the registry. */
export interface ContentMissing {
  contentMissing: true;
}

/**
 * Answer of `GET /images/search?term={name}&listTags=1`: the tags of one repository, `name` without tag, of any registry. Sampan's
 * own. `limit` and `tlsVerify=0` as for a search, `filters` are refused. 404 when the registry doesn't know the repository.
 */
export interface ImageTagList {
  /** Whole repository, `docker.io/library/busybox`. */
  Name: string;
  /** In the registry's order. */
  Tags: string[];
}

/**
 * Query of `POST /images/copy`: an image from registry to registry, with nothing kept here. Sampan's own.
 *
 * `X-Registry-Auth` is for the destination, `X-Registry-Auth-Source` for the source. Answered as a push is: progress lines, the
 * last one `aux` with `PushResult`, or `errorDetail`. Digests stay what they are; an index is copied with all its manifests.
 */
export interface ImageCopyQuery extends TlsVerifyQuery {
  /** Whole names with tag or digest, the destination's with tag or the source's digest. */
  from: string;
  to: string;
  /** `{"os","architecture"}` as JSON: copy that image alone, without the index. */
  platform?: string;
}

/**
 * Filters of `POST /images/prune` beside Docker's. Sampan's own; Docker refuses them as unknown. Images that a container uses stay
 * in any case. Of the others those go that meet both, where both are given, the longest unused first.
 */
export interface ImagePruneFilters {
  /** Seconds since an image was last pulled, built, loaded, tagged, pushed, saved or run, at least; digits. */
  'unused-for'?: [string];
  /** Bytes that images may take up afterwards: removal ends as soon as they take no more; digits. */
  'keep-size'?: [string];
}
