import type { GcRoots } from '../../images/store/lease-store.ts';
import { nowNano } from '../../sys/clock.ts';
import type { BuildCachePrune, BuildCacheRecord, CacheSelection } from '../builder.ts';
import type { KeptSources } from '../kept-sources.ts';
import type { SolverPorts } from './build-ports.ts';
import { isMutable, parseCacheFilters } from './cache-filter.ts';
import type { CacheRecord } from './cache-record.ts';

/** daemon.json's `builder.gc`. */
export interface CacheLimits {
  enabled: boolean;
  /** Bytes that may stay. */
  keepBytes: number;
}

export interface CachePrunerOptions {
  solver: Pick<SolverPorts, 'store' | 'mounts' | 'snapshotter'>;
  limits: CacheLimits;
  sources: Pick<KeptSources, 'records' | 'remove'>;
  /** Remove those of these that nothing else holds. Resolves to the bytes freed. */
  collect: (roots: GcRoots) => Promise<number>;
}

type Matches = (record: CacheRecord, inUse: boolean) => boolean;

/** What is to go so that no more than `keepBytes` is left: the longest unused first, none before those that stand on it. */
export function planPrune(
  records: readonly CacheRecord[],
  { keepBytes, matches, inUse }: { keepBytes: number; matches: Matches; inUse: (id: string) => boolean },
): CacheRecord[] {
  const children = new Map<string, number>();
  for (const { parent } of records)
    if (parent !== undefined) children.set(parent, (children.get(parent) ?? 0) + 1);
  const blocked = (record: CacheRecord): boolean =>
    record.layer !== undefined && (children.get(record.layer.chainId) ?? 0) > 0;
  let left = records.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const gone: CacheRecord[] = [];
  const waiting = records
    .filter((record) => !inUse(record.id) && matches(record, false))
    .sort((a, b) => Number(a.usedNano - b.usedNano));
  for (let found = true; found && (keepBytes === 0 || left > keepBytes); ) {
    found = false;
    for (const [at, record] of waiting.entries()) {
      if (blocked(record)) continue;
      waiting.splice(at, 1);
      gone.push(record);
      left -= record.sizeBytes;
      if (record.parent !== undefined) children.set(record.parent, (children.get(record.parent) ?? 1) - 1);
      found = true;
      break;
    }
  }
  return gone;
}

/** Keeps the build cache in its limits, lists it, prunes it. */
export class CachePruner {
  readonly #options: CachePrunerOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: CachePrunerOptions) {
    this.#options = options;
  }

  async list(selection: CacheSelection = {}): Promise<BuildCacheRecord[]> {
    const { store } = this.#options.solver;
    const matches = selector(selection);
    const byChain = new Map(store.records().map((record) => [record.layer?.chainId, record.id]));
    const kept = await this.#options.sources.records({ roughly: false });
    const all = [...store.records().map((record) => ({ record, inUse: store.inUse(record.id) })), ...kept];
    return all
      .filter(({ record, inUse }) => matches(record, inUse))
      .map(({ record, inUse }) => {
        const parent = record.parent === undefined ? undefined : byChain.get(record.parent);
        return listed(record, { parents: parent === undefined ? [] : [parent], inUse });
      });
  }

  async keepLimits(): Promise<void> {
    const { enabled, keepBytes } = this.#options.limits;
    if (!enabled || keepBytes <= 0) return;
    await this.#serially(() => this.#remove({ keepBytes, matches: () => true, roughly: true }));
  }

  async prune(
    { keepBytes, ...selection }: BuildCachePrune,
    { pruned }: { signal: AbortSignal; pruned?: (record: BuildCacheRecord) => void },
  ): Promise<{ deleted: string[]; reclaimedBytes: number }> {
    const matches = selector(selection);
    const before = new Map((await this.list()).map((record) => [record.id, record]));
    const { gone, freed } = await this.#serially(() => this.#remove({ keepBytes, matches, roughly: false }));
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

  async #remove(options: {
    keepBytes: number;
    matches: Matches;
    roughly: boolean;
  }): Promise<{ gone: CacheRecord[]; freed: number }> {
    const { solver, sources } = this.#options;
    const { store } = solver;
    const kept = await sources.records(options);
    const busy = new Set(kept.flatMap(({ record, inUse }) => (inUse ? [record.id] : [])));
    const records = [...store.records(), ...kept.map(({ record }) => record)];
    const gone = planPrune(records, { ...options, inUse: (id) => store.inUse(id) || busy.has(id) });
    if (gone.length === 0) return { gone, freed: 0 };
    const contexts = await sources.remove(gone.filter(({ kind }) => kind === 'source.local'));
    const own = gone.filter(({ kind }) => kind !== 'source.local');
    const freed = await this.#removeOwn(own);
    return { gone: [...own, ...contexts], freed: freed + bytesOf(contexts) };
  }

  async #removeOwn(gone: readonly CacheRecord[]): Promise<number> {
    const { solver, collect } = this.#options;
    if (gone.length === 0) return 0;
    await solver.store.remove(gone);
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
  { parents, inUse }: { parents: string[]; inUse: boolean },
): BuildCacheRecord {
  return {
    id: record.id,
    parents,
    type: record.kind,
    description: record.description,
    inUse,
    mutable: isMutable(record.kind),
    shared: false,
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
  return (record, inUse) =>
    (unusedForNano === undefined || now - record.usedNano >= unusedForNano) && fits(record, inUse);
}
