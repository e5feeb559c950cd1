import { messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { diskUsage } from '../storage/disk-usage.ts';
import type { CacheRecord } from './solver/cache-record.ts';

/** A folder that something came to from elsewhere, kept for the next build. */
export interface SourceFolder {
  id: string;
  kind: CacheRecord['kind'];
  /** For people. */
  description: string;
  directory: string;
  createdMs: number;
  lastUsedMs: number;
  inUse: boolean;
}

/** Contexts that a client sent, or what was fetched. */
export interface SourceFolders {
  list(): Promise<readonly SourceFolder[]>;
  /** @throws EngineError "conflict" while a build has it. Absent is fine. */
  remove(id: string): Promise<void>;
}

/** A size that is so old is measured again, also where a guess would do. */
const SIZE_STALE_MS = 600_000;

/** Kept contexts and what was fetched, as records of the build cache. */
export class KeptSources {
  readonly #logger: Logger;
  readonly #sizes = new Map<string, { lastUsedMs: number; sizeBytes: number; measuredMs: number }>();
  readonly #owners: SourceFolders[] = [];
  /** Of what was listed last. */
  readonly #ownerOf = new Map<string, SourceFolders>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  serve(folders: SourceFolders): void {
    this.#owners.push(folders);
  }

  /** `roughly`: sizes may be those of some minutes ago. */
  async records({ roughly }: { roughly: boolean }): Promise<{ record: CacheRecord; inUse: boolean }[]> {
    const found = await this.#list();
    return await Promise.all(
      found.map(async (folder) => {
        const { id, kind, description, inUse, createdMs, lastUsedMs } = folder;
        const record: CacheRecord = {
          id,
          key: id,
          kind,
          parent: undefined,
          layer: undefined,
          sizeBytes: await this.#size(folder, roughly),
          description,
          createdNano: nanoOf(createdMs),
          usedNano: nanoOf(lastUsedMs),
          uses: 1,
        };
        return { record, inUse };
      }),
    );
  }

  /** Resolves to those that are gone: one that a build has taken meanwhile stays. */
  async remove(records: readonly CacheRecord[]): Promise<CacheRecord[]> {
    const gone: CacheRecord[] = [];
    for (const record of records)
      try {
        await this.#ownerOf.get(record.id)?.remove(record.id);
        this.#ownerOf.delete(record.id);
        this.#sizes.delete(record.id);
        gone.push(record);
      } catch (error) {
        this.#logger.warn('cannot remove a kept build source', { id: record.id, reason: messageOf(error) });
      }
    return gone;
  }

  async #list(): Promise<SourceFolder[]> {
    const all: SourceFolder[] = [];
    for (const owner of this.#owners) {
      const found = await owner.list();
      for (const { id } of found) this.#ownerOf.set(id, owner);
      all.push(...found);
    }
    return all;
  }

  async #size({ id, directory, lastUsedMs, inUse }: SourceFolder, roughly: boolean): Promise<number> {
    const known = this.#sizes.get(id);
    const isFresh = known !== undefined && Date.now() - known.measuredMs < SIZE_STALE_MS;
    if (known !== undefined && (known.lastUsedMs === lastUsedMs || (roughly && isFresh)))
      return known.sizeBytes;
    const sizeBytes = await diskUsage(directory, { seen: new Set() });
    // Of one that is being written it is no more than a guess.
    if (!inUse) this.#sizes.set(id, { lastUsedMs, sizeBytes, measuredMs: Date.now() });
    return sizeBytes;
  }
}

function nanoOf(ms: number): bigint {
  return BigInt(Math.round(ms)) * 1_000_000n;
}
