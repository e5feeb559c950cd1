import { kindOf } from '../../../errors/engine-error.ts';
import { algorithmOf, type Digest } from '../../../oci/digest.ts';
import type { BlobKeeper, BlobStore } from '../blob-backend.ts';
import type { RepositoryIndex } from '../repository-index.ts';
import { fillKey } from './blob-fill.ts';

export interface BlobCacheOptions {
  store: BlobStore;
  /** What was fetched, apart from what was pushed. */
  index: RepositoryIndex;
  keeper: BlobKeeper;
  /** Named by something that was pushed here: doesn't count, and doesn't go. */
  pushed(): ReadonlySet<Digest>;
  maxBytes: number;
  /** What was used so lately is being sent, most likely. */
  minIdleMs: number;
}

interface Entry {
  digest: Digest;
  sizeBytes: number;
  usedMs: number;
  repositories: string[];
}

/** What a pull-through cache has fetched, bounded: what was not used for longest goes first. */
export class BlobCache {
  readonly #options: BlobCacheOptions;
  readonly #sizes = new Map<Digest, number>();
  /** Of all that was fetched, also what has been pushed since: no less than what counts. */
  #totalBytes = 0;
  /** What is on its way, by the bytes that it will have. */
  readonly #incoming = new Map<Digest, number>();
  /** What broke off and may be gone on with, by the bytes that came; the oldest first. Those of an earlier process go by their age. */
  readonly #parts = new Map<Digest, number>();
  #trimming: Promise<void> = Promise.resolve();

  private constructor(options: BlobCacheOptions) {
    this.#options = options;
  }

  /** Forgets entries whose blobs are not in the store. */
  static async open(options: BlobCacheOptions): Promise<BlobCache> {
    const cache = new BlobCache(options);
    for (const digest of options.index.digests()) {
      const size = await options.store.size(digest);
      if (size === undefined) await cache.#drop(digest);
      else cache.noteSize(digest, size);
    }
    await cache.trim();
    return cache;
  }

  /** The blob is in the store and held by the caller. */
  async add(repository: string, digest: Digest, sizeBytes: number): Promise<void> {
    this.noteSize(digest, sizeBytes);
    await this.#options.index.linkBlob(repository, digest);
  }

  /** For what is about to be linked. */
  noteSize(digest: Digest, sizeBytes: number): void {
    this.#totalBytes += sizeBytes - (this.#sizes.get(digest) ?? 0);
    this.#sizes.set(digest, sizeBytes);
  }

  /** A transfer begins, of so many bytes where that is known: make room for it. */
  async expect(digest: Digest, sizeBytes: number): Promise<void> {
    this.#parts.delete(digest);
    this.#incoming.set(digest, sizeBytes);
    await this.trim();
  }

  /** A transfer has ended, and leaves so many bytes to go on from. */
  settle(digest: Digest, partBytes: number): void {
    this.#incoming.delete(digest);
    if (partBytes > 0) this.#parts.set(digest, partBytes);
  }

  /** Bring it under the limit, less what is on its way. What was used a moment ago stays until the next time. */
  async trim(): Promise<void> {
    const run = this.#trimming.then(() => this.#trim());
    this.#trimming = run.catch(() => undefined);
    await run;
  }

  async #trim(): Promise<void> {
    const beside = sum(this.#incoming.values()) + sum(this.#parts.values());
    if (this.#totalBytes + beside <= this.#options.maxBytes) return;
    const entries = this.#entries();
    let surplus = sum(entries.map(({ sizeBytes }) => sizeBytes)) + beside - this.#options.maxBytes;
    for (const [digest, bytes] of this.#parts) {
      if (surplus <= 0) return;
      await this.#dropPart(digest);
      surplus -= bytes;
    }
    const before = Date.now() - this.#options.minIdleMs;
    for (const entry of entries.toSorted((a, b) => a.usedMs - b.usedMs)) {
      if (surplus <= 0 || entry.usedMs > before) return;
      await this.#drop(entry.digest);
      await this.#options.keeper.release([entry.digest]);
      surplus -= entry.sizeBytes;
    }
  }

  #entries(): Entry[] {
    const found = new Map<Digest, Entry>();
    const pushed = this.#options.pushed();
    for (const name of this.#options.index.names())
      for (const [digest, usedMs] of this.#options.index.repository(name)?.blobs ?? []) {
        if (pushed.has(digest)) continue;
        const sizeBytes = this.#sizes.get(digest) ?? 0;
        const entry = found.get(digest) ?? { digest, sizeBytes, usedMs, repositories: [] };
        entry.usedMs = Math.max(entry.usedMs, usedMs);
        entry.repositories.push(name);
        found.set(digest, entry);
      }
    return [...found.values()];
  }

  async #dropPart(digest: Digest): Promise<void> {
    this.#parts.delete(digest);
    try {
      const ingest = await this.#options.store.ingest(fillKey(digest), { algorithm: algorithmOf(digest) });
      await ingest.abort();
    } catch (error) {
      // It has just been taken up again.
      if (kindOf(error) !== 'conflict') throw error;
    }
  }

  async #drop(digest: Digest): Promise<void> {
    const { index } = this.#options;
    for (const name of index.names())
      if (!(await index.removeManifest(name, digest))) await index.unlinkBlob(name, digest);
    this.#totalBytes -= this.#sizes.get(digest) ?? 0;
    this.#sizes.delete(digest);
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
