import type { Digest } from '../../../oci/digest.ts';
import type { BlobKeeper, BlobStore } from '../blob-backend.ts';
import type { RepositoryIndex } from '../repository-index.ts';

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

  /** Bring it under the limit, less `incomingBytes`. What was used a moment ago stays until the next time. */
  async trim(incomingBytes = 0): Promise<void> {
    const run = this.#trimming.then(() => this.#trim(incomingBytes));
    this.#trimming = run.catch(() => undefined);
    await run;
  }

  async #trim(incomingBytes: number): Promise<void> {
    if (this.#totalBytes + incomingBytes <= this.#options.maxBytes) return;
    const entries = this.#entries();
    let surplus =
      entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, incomingBytes) - this.#options.maxBytes;
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

  async #drop(digest: Digest): Promise<void> {
    const { index } = this.#options;
    for (const name of index.names())
      if (!(await index.removeManifest(name, digest))) await index.unlinkBlob(name, digest);
    this.#totalBytes -= this.#sizes.get(digest) ?? 0;
    this.#sizes.delete(digest);
  }
}
