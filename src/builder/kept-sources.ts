import { messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { diskUsage } from '../storage/disk-usage.ts';
import type { CacheRecord } from './solver/cache-record.ts';

/** Contexts that a client sent, kept for its next build. */
export interface SourceFolders {
  list(): Promise<readonly { id: string; directory: string; lastUsedMs: number; inUse: boolean }[]>;
  /** @throws EngineError "conflict" while a build has it. Absent is fine. */
  remove(id: string): Promise<void>;
}

/** A size that is so old is measured again, also where a guess would do. */
const SIZE_STALE_MS = 600_000;

/** Kept contexts as records of the build cache. */
export class KeptSources {
  readonly #logger: Logger;
  readonly #sizes = new Map<string, { lastUsedMs: number; sizeBytes: number; measuredMs: number }>();
  #folders: SourceFolders | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  serve(folders: SourceFolders): void {
    this.#folders = folders;
  }

  /** `roughly`: sizes may be those of some minutes ago. */
  async records({ roughly }: { roughly: boolean }): Promise<{ record: CacheRecord; inUse: boolean }[]> {
    const found = (await this.#folders?.list()) ?? [];
    return await Promise.all(
      found.map(async ({ id, directory, lastUsedMs, inUse }) => {
        const usedNano = BigInt(Math.round(lastUsedMs)) * 1_000_000n;
        const record: CacheRecord = {
          id,
          key: id,
          kind: 'source.local',
          parent: undefined,
          layer: undefined,
          sizeBytes: await this.#size(id, { directory, lastUsedMs, roughly }),
          description: 'local source for context',
          createdNano: usedNano,
          usedNano,
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
        await this.#folders?.remove(record.id);
        this.#sizes.delete(record.id);
        gone.push(record);
      } catch (error) {
        this.#logger.warn('cannot remove a kept build context', { id: record.id, reason: messageOf(error) });
      }
    return gone;
  }

  async #size(
    id: string,
    { directory, lastUsedMs, roughly }: { directory: string; lastUsedMs: number; roughly: boolean },
  ): Promise<number> {
    const known = this.#sizes.get(id);
    const isFresh = known !== undefined && Date.now() - known.measuredMs < SIZE_STALE_MS;
    if (known !== undefined && (known.lastUsedMs === lastUsedMs || (roughly && isFresh)))
      return known.sizeBytes;
    const sizeBytes = await diskUsage(directory, { seen: new Set() });
    this.#sizes.set(id, { lastUsedMs, sizeBytes, measuredMs: Date.now() });
    return sizeBytes;
  }
}
