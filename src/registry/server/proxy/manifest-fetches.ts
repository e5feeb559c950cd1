import { messageOf } from '../../../errors/engine-error.ts';
import type { Logger } from '../../../errors/logger.ts';
import { algorithmOf, type Digest, isDigest } from '../../../oci/digest.ts';
import type { FoundManifest } from '../blob-backend.ts';
import { describe } from '../manifest.ts';
import type { StoreBlobBackend } from '../store-blob-backend.ts';
import type { BlobCache } from './blob-cache.ts';
import { isAbsence, type Upstream, upstreamUnavailable } from './upstream.ts';

export interface ManifestFetchesOptions {
  upstream: Upstream;
  /** Where they are kept. */
  cached: StoreBlobBackend;
  cache: BlobCache;
  /** For so long a tag is believed without asking again. */
  freshMs: number;
  signal: AbortSignal;
  logger: Logger;
}

/** Forgetting costs a HEAD. */
const MAX_CHECKED = 100_000;

/** Manifests of the upstream: one request for each at a time, tags checked again after a while, what is here where it doesn't answer. */
export class ManifestFetches {
  readonly #options: ManifestFetchesOptions;
  readonly #asked = new Map<string, Promise<FoundManifest | undefined>>();
  /** When a tag was last heard of from the upstream. */
  readonly #checkedMs = new Map<string, number>();

  constructor(options: ManifestFetchesOptions) {
    this.#options = options;
  }

  /**
   * Undefined: the upstream has none.
   *
   * @throws RegistryRefusal 503 where it doesn't answer and none is here.
   */
  async manifest(repository: string, reference: string): Promise<FoundManifest | undefined> {
    const key = `${repository} ${reference}`;
    const asked = this.#asked.get(key) ?? this.#ask(repository, reference);
    this.#asked.set(key, asked);
    try {
      return await asked;
    } finally {
      if (this.#asked.get(key) === asked) this.#asked.delete(key);
    }
  }

  async #ask(repository: string, reference: string): Promise<FoundManifest | undefined> {
    const { cached, logger } = this.#options;
    const known = await cached.manifest(repository, reference);
    if (known !== undefined && (isDigest(reference) || this.#isFresh(repository, reference))) return known;
    try {
      if (known !== undefined && (await this.#isStill(repository, reference, known.descriptor.digest)))
        return known;
      return await this.#fetch(repository, reference);
    } catch (error) {
      if (isAbsence(error)) {
        if (!isDigest(reference)) await cached.deleteManifest(repository, reference);
        return undefined;
      }
      logger.warn('pull-through cache: the upstream does not answer', {
        repository,
        reference,
        reason: messageOf(error),
      });
      if (known === undefined) throw upstreamUnavailable();
      return { ...known, stale: true };
    }
  }

  #isFresh(repository: string, tag: string): boolean {
    const checked = this.#checkedMs.get(`${repository} ${tag}`);
    return checked !== undefined && Date.now() - checked < this.#options.freshMs;
  }

  async #isStill(repository: string, tag: string, digest: Digest): Promise<boolean> {
    const current = await this.#options.upstream.head(repository, tag, this.#options.signal);
    if (current !== digest) return false;
    this.#noteChecked(repository, tag);
    return true;
  }

  async #fetch(repository: string, reference: string): Promise<FoundManifest> {
    const { upstream, cache, cached, signal } = this.#options;
    const { descriptor, bytes } = await upstream.manifest(repository, reference, signal);
    const stored = describe(bytes, descriptor.mediaType, algorithmOf(descriptor.digest));
    cache.noteSize(stored.descriptor.digest, bytes.length);
    await cached.putManifest(repository, { ...stored, tags: isDigest(reference) ? [] : [reference] });
    if (!isDigest(reference)) this.#noteChecked(repository, reference);
    await cache.trim();
    return { descriptor: stored.descriptor, bytes };
  }

  #noteChecked(repository: string, tag: string): void {
    if (this.#checkedMs.size > MAX_CHECKED) this.#checkedMs.clear();
    this.#checkedMs.set(`${repository} ${tag}`, Date.now());
  }
}
