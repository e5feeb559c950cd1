import { EngineError } from '../../errors/engine-error.ts';
import type { GcRoots } from '../../images/lease-store.ts';
import { nowNano } from '../../sys/clock.ts';
import type { BuildCachePrune, BuildCacheRecord } from '../builder.ts';
import type { SolverPorts } from './build-ports.ts';
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
  /** Remove those of these that nothing else holds. Resolves to the bytes freed. */
  collect: (roots: GcRoots) => Promise<number>;
}

/** What is to go so that no more than `keepBytes` is left: the longest unused first, none before those that stand on it. */
export function planPrune(
  records: readonly CacheRecord[],
  {
    keepBytes,
    matches,
    inUse,
  }: { keepBytes: number; matches: (record: CacheRecord) => boolean; inUse: (id: string) => boolean },
): CacheRecord[] {
  const children = new Map<string, number>();
  for (const { parent } of records)
    if (parent !== undefined) children.set(parent, (children.get(parent) ?? 0) + 1);
  const blocked = (record: CacheRecord): boolean =>
    record.layer !== undefined && (children.get(record.layer.chainId) ?? 0) > 0;
  let left = records.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const gone: CacheRecord[] = [];
  const waiting = records
    .filter((record) => matches(record) && !inUse(record.id))
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

  async list(): Promise<BuildCacheRecord[]> {
    const { store } = this.#options.solver;
    const byChain = new Map(store.records().map((record) => [record.layer?.chainId, record.id]));
    return store.records().map((record): BuildCacheRecord => {
      const parent = record.parent === undefined ? undefined : byChain.get(record.parent);
      return {
        id: record.id,
        parents: parent === undefined ? [] : [parent],
        type: record.kind,
        description: record.description,
        inUse: store.inUse(record.id),
        shared: false,
        sizeBytes: record.sizeBytes,
        createdNano: record.createdNano,
        lastUsedNano: record.usedNano,
        usageCount: record.uses,
      };
    });
  }

  async keepLimits(): Promise<void> {
    const { enabled, keepBytes } = this.#options.limits;
    if (!enabled || keepBytes <= 0) return;
    await this.#serially(() => this.#remove({ keepBytes, matches: () => true }));
  }

  async prune(
    { keepBytes, filters }: BuildCachePrune,
    { pruned }: { signal: AbortSignal; pruned?: (record: BuildCacheRecord) => void },
  ): Promise<{ deleted: string[]; reclaimedBytes: number }> {
    const matches = cacheFilter(filters);
    const before = new Map((await this.list()).map((record) => [record.id, record]));
    const { gone, freed } = await this.#serially(() => this.#remove({ keepBytes, matches }));
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
    matches: (record: CacheRecord) => boolean;
  }): Promise<{ gone: CacheRecord[]; freed: number }> {
    const { solver, collect } = this.#options;
    const { store, mounts } = solver;
    const gone = planPrune(store.records(), { ...options, inUse: (id) => store.inUse(id) });
    if (gone.length === 0) return { gone, freed: 0 };
    await store.remove(gone);
    const folders = gone.filter(({ kind }) => kind === 'exec.cachemount');
    await mounts.remove(folders);
    const layers = gone.flatMap(({ layer }) => (layer === undefined ? [] : [layer]));
    const freed = await collect({
      blobs: layers.map(({ descriptor }) => descriptor.digest),
      chains: layers.map(({ chainId }) => chainId),
    });
    return { gone, freed: freed + folders.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
  }
}

const FILTERS = [
  'until',
  'unused-for',
  'id',
  'parent',
  'type',
  'description',
  'inuse',
  'shared',
  'private',
  'mutable',
  'immutable',
];

/** @throws EngineError "invalid" for what is no filter. */
function cacheFilter(filters: ReadonlyMap<string, readonly string[]>): (record: CacheRecord) => boolean {
  const unknown = [...filters.keys()].find((name) => !FILTERS.includes(name));
  if (unknown !== undefined) throw new EngineError('invalid', `invalid filter '${unknown}'`);
  const ages = [...(filters.get('until') ?? []), ...(filters.get('unused-for') ?? [])].map(parseAge);
  const ids = filters.get('id') ?? [];
  const types = filters.get('type') ?? [];
  const texts = filters.get('description') ?? [];
  return (record) =>
    ages.every((age) => nowNano() - record.usedNano >= age) &&
    (ids.length === 0 || ids.some((id) => record.id.startsWith(id))) &&
    (types.length === 0 || types.includes(record.kind)) &&
    (texts.length === 0 || texts.some((text) => record.description.includes(text)));
}

const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** A Go duration. */
function parseAge(text: string): bigint {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text)
    throw new EngineError('invalid', `time: invalid duration ${JSON.stringify(text)}`);
  const total = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ''] ?? 0), 0);
  return BigInt(Math.round(total));
}
