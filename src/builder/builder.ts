import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Platform } from '../oci/platform.ts';
import type { BuildWatcher } from './build-progress.ts';
import type { BuildRequest } from './build-request.ts';

export interface BuildResult {
  /** ID of the image, where one was made: digest of its manifest or index. */
  imageId: Digest | undefined;
  descriptor: Descriptor | undefined;
  configDigest: Digest | undefined;
  platforms: readonly Platform[];
  /** What `--metadata-file` tells, by BuildKit's names (`containerimage.digest` …). */
  metadata: Record<string, string>;
  /** Take the image of a `result` output away. */
  letGo?: (() => Promise<void>) | undefined;
}

export interface BuildCacheRecord {
  id: string;
  parents: readonly string[];
  type: 'regular' | 'source.local' | 'source.git.checkout' | 'exec.cachemount' | 'frontend' | 'internal';
  description: string;
  inUse: boolean;
  /** A folder that builds write to, no layer. */
  mutable: boolean;
  /** An image has the layer too. */
  shared: boolean;
  sizeBytes: number;
  createdNano: bigint;
  lastUsedNano: bigint | undefined;
  usageCount: number;
}

/** How much of the cache is to stay, the longest unused going first. Bytes; 0: not given; nothing given: no limit. */
export interface CacheSpace {
  /** So much always may. */
  reservedBytes: number;
  /** No more may. */
  maxUsedBytes: number;
  /** So much of the disk is to be free. */
  minFreeBytes: number;
}

export type BuildCachePrune = {
  /** Also what images have, and frees nothing. */
  all: boolean;
} & CacheSpace &
  CacheSelection;

/** A rule of the collection that follows builds. */
export type CachePolicy = BuildCachePrune;

/** Which records are meant. */
export interface CacheSelection {
  /** Not used since, nanoseconds; undefined: whenever. */
  unusedForNano?: bigint | undefined;
  /** In containerd's language (`type==exec.cachemount,description~=npm`); one of them must fit, without any everything does. */
  filters?: readonly string[] | undefined;
}

/** Makes images of Dockerfiles. */
export interface Builder {
  /**
   * Build. A failure or an abort leaves no process, mount, lease or half layer; steps that were finished stay in the cache.
   *
   * @throws EngineError "invalid" with BuildKit's words for what is wrong with the Dockerfile or a step (`BuildError` carries its lines);
   *   the signal's reason.
   */
  build(request: BuildRequest, options: { signal: AbortSignal; watch: BuildWatcher }): Promise<BuildResult>;
  /** @throws EngineError "invalid" for a filter that can't be read. */
  cache(selection?: CacheSelection): Promise<BuildCacheRecord[]>;
  pruneCache(
    prune: BuildCachePrune,
    options: { signal: AbortSignal; pruned?: (record: BuildCacheRecord) => void },
  ): Promise<{ deleted: string[]; reclaimedBytes: number }>;
  /** The rules of the collection that follows builds, in their order; none where it is switched off. */
  cachePolicies(): Promise<readonly CachePolicy[]>;
}
