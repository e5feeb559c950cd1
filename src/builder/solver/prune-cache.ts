import { EngineError } from '../../errors/engine-error.ts';
import type { GcRoots } from '../../images/store/lease-store.ts';
import type { ChainId } from '../../oci/digest.ts';
import { nowNano } from '../../sys/clock.ts';
import type {
  BuildCachePrune,
  BuildCacheRecord,
  CachePolicy,
  CacheSelection,
  CacheSpace,
} from '../builder.ts';
import type { KeptSources } from '../kept-sources.ts';
import type { SolverPorts } from './build-ports.ts';
import { isMutable, parseCacheFilters, type RecordState } from './cache-filter.ts';
import type { CacheRecord } from './cache-record.ts';
import { type DiskSpace, defaultPolicies, keepBytesOf } from './cache-space.ts';
import { planPrune } from './plan-prune.ts';

/** daemon.json's `builder.gc`. */
export interface CacheCollection {
  enabled: boolean;
  /** Of the default policies. */
  space: CacheSpace;
  /** Undefined: the default ones. */
  policies: readonly CachePolicy[] | undefined;
}

export interface CachePrunerOptions {
  solver: Pick<SolverPorts, 'store' | 'mounts'>;
  collection: CacheCollection;
  sources: Pick<KeptSources, 'records' | 'remove'>;
  /** Of the file system that the cache lies on. */
  disk: () => Promise<DiskSpace>;
  /** What images stand on. */
  imageChains: () => ReadonlySet<ChainId>;
  /** Remove those of these that nothing else holds. Resolves to the bytes freed. */
  collect: (roots: GcRoots) => Promise<number>;
}

type Matches = (record: CacheRecord, state: RecordState) => boolean;

/** Records as they are at this moment: what is in use may be another after any wait. */
interface Census {
  records: CacheRecord[];
  kept: ReadonlySet<CacheRecord>;
  stateOf: (record: CacheRecord) => RecordState;
}

/** Keeps the build cache in its limits, lists it, prunes it. */
export class CachePruner {
  readonly #options: CachePrunerOptions;
  #last: Promise<unknown> = Promise.resolve();
  #isDue = false;

  constructor(options: CachePrunerOptions) {
    this.#options = options;
  }

  async list(selection: CacheSelection = {}): Promise<BuildCacheRecord[]> {
    const matches = selector(selection);
    const { records, stateOf } = await this.#census({ roughly: false });
    const byChain = new Map(records.map((record) => [record.layer?.chainId, record.id]));
    return records
      .filter((record) => matches(record, stateOf(record)))
      .map((record) => {
        const parent = record.parent === undefined ? undefined : byChain.get(record.parent);
        return listed(record, { parents: parent === undefined ? [] : [parent], ...stateOf(record) });
      });
  }

  async policies(): Promise<readonly CachePolicy[]> {
    const { enabled, space, policies } = this.#options.collection;
    if (!enabled) return [];
    return policies ?? defaultPolicies(space, await this.#options.disk());
  }

  /** One collection that is waiting is enough for all builds that end meanwhile. */
  async keepLimits(): Promise<void> {
    if (this.#isDue) return;
    this.#isDue = true;
    await this.#serially(async () => {
      this.#isDue = false;
      for (const policy of await this.policies()) await this.#remove(policy, { roughly: true });
    });
  }

  async prune(
    asked: BuildCachePrune,
    { pruned }: { signal: AbortSignal; pruned?: (record: BuildCacheRecord) => void },
  ): Promise<{ deleted: string[]; reclaimedBytes: number }> {
    selector(asked);
    const before = new Map((await this.list()).map((record) => [record.id, record]));
    const { gone, freed } = await this.#serially(() => this.#remove(asked, { roughly: false }));
    for (const { id } of gone) {
      const record = before.get(id);
      if (record !== undefined) pruned?.(record);
    }
    return { deleted: gone.map(({ id }) => id), reclaimedBytes: freed };
  }

  async #serially<T>(action: () => Promise<T>): Promise<T> {
    const run = this.#last.then(action, action);
    this.#last = run.catch(() => undefined);
    return await run;
  }

  async #census({ roughly }: { roughly: boolean }): Promise<Census> {
    const { solver, sources, imageChains } = this.#options;
    await solver.mounts.measured;
    const found = await sources.records({ roughly });
    const busy = new Set(found.flatMap(({ record, inUse }) => (inUse ? [record] : [])));
    const kept = new Set(found.map(({ record }) => record));
    const chains = imageChains();
    const stateOf = (record: CacheRecord): RecordState => ({
      inUse: kept.has(record) ? busy.has(record) : solver.store.inUse(record.id),
      shared: record.layer !== undefined && chains.has(record.layer.chainId),
    });
    return { records: [...solver.store.records(), ...kept], kept, stateOf };
  }

  async #remove(
    asked: BuildCachePrune,
    { roughly }: { roughly: boolean },
  ): Promise<{ gone: CacheRecord[]; freed: number }> {
    const { disk } = this.#options;
    const matches = selector(asked);
    const { freeBytes } = await disk();
    const { records, kept, stateOf } = await this.#census({ roughly });
    const sizeOf = (record: CacheRecord): number => (stateOf(record).shared ? 0 : record.sizeBytes);
    const usedBytes = records.reduce((sum, record) => sum + sizeOf(record), 0);
    const mayGo = (record: CacheRecord): boolean => {
      const state = stateOf(record);
      return !state.inUse && (asked.all || !state.shared) && matches(record, state);
    };
    const keepBytes = keepBytesOf(asked, { usedBytes, freeBytes });
    const gone = planPrune(records, { keepBytes, mayGo, sizeOf });
    const own = gone.filter((record) => !kept.has(record));
    const folders = await this.#forget(own, { kept: gone.filter((record) => kept.has(record)) });
    const freed = await this.#removeFiles(own);
    return { gone: [...own, ...folders], freed: freed + bytesOf(folders) };
  }

  /**
   * Records go before the first wait: from then on no build can take what the plan found unused. A disk that is so full that not even that can be written gets
   * room first: by contexts, and by cache mounts that nobody has meanwhile.
   *
   * @returns the contexts and downloads that are gone.
   */
  async #forget(
    own: readonly CacheRecord[],
    { kept }: { kept: readonly CacheRecord[] },
  ): Promise<readonly CacheRecord[]> {
    const { solver, sources } = this.#options;
    try {
      await solver.store.remove(own);
      return await sources.remove(kept);
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'no-space') throw error;
    }
    const folders = await sources.remove(kept);
    const unused = own.filter(({ id, kind }) => kind === 'exec.cachemount' && !solver.store.inUse(id));
    await solver.mounts.remove(unused);
    await solver.store.remove(own);
    return folders;
  }

  async #removeFiles(gone: readonly CacheRecord[]): Promise<number> {
    const { solver, collect } = this.#options;
    if (gone.length === 0) return 0;
    const folders = gone.filter(({ kind }) => kind === 'exec.cachemount');
    await solver.mounts.remove(folders);
    const layers = gone.flatMap(({ layer }) => (layer === undefined ? [] : [layer]));
    const freed = await collect({
      blobs: layers.map(({ descriptor }) => descriptor.digest),
      chains: layers.map(({ chainId }) => chainId),
    });
    return freed + bytesOf(folders);
  }
}

function bytesOf(records: readonly CacheRecord[]): number {
  return records.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function listed(
  record: CacheRecord,
  { parents, inUse, shared }: RecordState & { parents: string[] },
): BuildCacheRecord {
  return {
    id: record.id,
    parents,
    type: record.kind,
    description: record.description,
    inUse,
    mutable: isMutable(record),
    shared,
    sizeBytes: record.sizeBytes,
    createdNano: record.createdNano,
    lastUsedNano: record.usedNano,
    usageCount: record.uses,
  };
}

/** @throws EngineError "invalid" for a filter that can't be read. */
function selector({ filters = [], unusedForNano }: CacheSelection): Matches {
  const fits = parseCacheFilters(filters);
  const now = nowNano();
  return (record, state) =>
    (unusedForNano === undefined || now - record.usedNano >= unusedForNano) && fits(record, state);
}
