import { algorithmOf, type Digest } from '../../../oci/digest.ts';
import type { BlobKeeper, BlobStore } from '../blob-backend.ts';
import type { RepositoryIndex } from '../repository-index.ts';
import { ingestKey } from './blob-fill.ts';
import { type CacheClaim, CacheClaims } from './cache-claims.ts';

export interface BlobCacheOptions {
  store: BlobStore;
  /** What was fetched, apart from what was pushed. */
  index: RepositoryIndex;
  keeper: BlobKeeper;
  /** Named by something that was pushed here: doesn't count, and doesn't go. */
  pushed(): ReadonlySet<Digest>;
  /** Of all together; a blob that is larger is passed on and not kept. */
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

/** What a pull-through cache has fetched and is fetching, bounded: what was not used for longest goes first. */
export class BlobCache {
  readonly #options: BlobCacheOptions;
  readonly #sizes = new Map<Digest, number>();
  /** Of all that was fetched, also what has been pushed since: no less than what counts. */
  #totalBytes = 0;
  /** What broken transfers have left, until they are gone on with. */
  readonly #partial = new Map<Digest, number>();
  readonly #claims: CacheClaims;
  #trimming: Promise<void> = Promise.resolve();

  private constructor(options: BlobCacheOptions) {
    this.#options = options;
    this.#claims = new CacheClaims(options.maxBytes);
  }

  /** Forgets entries of which nothing is in the store. */
  static async open(options: BlobCacheOptions): Promise<BlobCache> {
    const cache = new BlobCache(options);
    for (const digest of options.index.digests()) {
      const size = await options.store.size(digest);
      if (size !== undefined) cache.noteSize(digest, size);
      else if (!(await cache.#findPartial(digest))) await cache.#drop(digest);
    }
    await cache.trim();
    return cache;
  }

  /** The blob is in the store and held by the caller. */
  async add(repository: string, digest: Digest, sizeBytes: number): Promise<void> {
    this.noteSize(digest, sizeBytes);
    await this.#options.index.linkBlob(repository, digest);
  }

  /** Room for what is about to be fetched; undefined where what is being fetched leaves none, unless it is to be had `anyhow`. */
  claim(digest: Digest, sizeBytes: number | undefined, anyhow: boolean): CacheClaim | undefined {
    const claim = this.#claims.claim(digest, sizeBytes, anyhow);
    if (claim !== undefined) this.#partial.delete(digest);
    return claim;
  }

  /** A transfer has ended before its end, and this is left of it. */
  async addPartial(repository: string, digest: Digest, sizeBytes: number): Promise<void> {
    this.#partial.set(digest, sizeBytes);
    await this.#options.index.linkBlob(repository, digest);
  }

  /** For what is about to be linked. */
  noteSize(digest: Digest, sizeBytes: number): void {
    this.#totalBytes += sizeBytes - (this.#sizes.get(digest) ?? 0);
    this.#sizes.set(digest, sizeBytes);
  }

  /** Bring it under the limit. What was used a moment ago stays until the next time. */
  async trim(): Promise<void> {
    const run = this.#trimming.then(() => this.#trim());
    this.#trimming = run.catch(() => undefined);
    await run;
  }

  async #trim(): Promise<void> {
    const { maxBytes, minIdleMs, keeper } = this.#options;
    const unfinished = this.#claims.totalBytes + sum(this.#partial.values());
    if (this.#totalBytes + unfinished <= maxBytes) return;
    const entries = this.#entries();
    let surplus = this.#claims.totalBytes + sum(entries.map(({ sizeBytes }) => sizeBytes)) - maxBytes;
    const before = Date.now() - minIdleMs;
    for (const { digest, sizeBytes, usedMs } of entries.toSorted((a, b) => a.usedMs - b.usedMs)) {
      if (surplus <= 0) return;
      // Nobody is being sent what a broken transfer has left.
      const isIdle = usedMs <= before || this.#partial.has(digest);
      if (!isIdle || this.#claims.has(digest)) continue;
      await this.#drop(digest);
      await keeper.release([digest]);
      surplus -= sizeBytes;
    }
  }

  #entries(): Entry[] {
    const found = new Map<Digest, Entry>();
    const pushed = this.#options.pushed();
    for (const name of this.#options.index.names())
      for (const [digest, usedMs] of this.#options.index.repository(name)?.blobs ?? []) {
        if (pushed.has(digest)) continue;
        const sizeBytes = (this.#sizes.get(digest) ?? 0) + (this.#partial.get(digest) ?? 0);
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
    if (this.#partial.delete(digest)) await this.#options.store.forgetIngest(ingestKey(digest));
  }

  /** What an earlier process has left of a blob. */
  async #findPartial(digest: Digest): Promise<boolean> {
    const ingest = await this.#options.store.ingest(ingestKey(digest), { algorithm: algorithmOf(digest) });
    const bytes = ingest.offset;
    await (bytes === 0 ? ingest.abort() : ingest.close());
    if (bytes > 0) this.#partial.set(digest, bytes);
    return bytes > 0;
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
