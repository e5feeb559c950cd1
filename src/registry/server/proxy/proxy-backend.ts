import type { Logger } from '../../../errors/logger.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';
import type {
  BlobBackend,
  BlobKeeper,
  BlobStore,
  BlobUpload,
  FoundManifest,
  OpenBlob,
  OpenBlobOptions,
  StoredManifest,
} from '../blob-backend.ts';
import type { RepositoryIndex } from '../repository-index.ts';
import { StoreBlobBackend, storedBlob } from '../store-blob-backend.ts';
import type { BlobCache } from './blob-cache.ts';
import { BlobFetches } from './blob-fetches.ts';
import { KnownSizes } from './known-sizes.ts';
import { ManifestFetches } from './manifest-fetches.ts';
import type { Upstream } from './upstream.ts';

export interface ProxyBackendOptions {
  store: BlobStore;
  keeper: BlobKeeper;
  /** What was pushed here: comes first, and is never fetched. */
  pushed: StoreBlobBackend;
  index: RepositoryIndex;
  cache: BlobCache;
  upstream: Upstream;
  /** For so long a tag is believed without asking again. */
  freshMs: number;
  logger: Logger;
}

/**
 * A pull-through cache: what isn't here is asked of the upstream, sent on while it is stored, and kept within a limit. Tags are checked again after a while;
 * where the upstream doesn't answer, what is here serves, and says that it may be old.
 */
export class ProxyBackend implements BlobBackend {
  readonly #options: ProxyBackendOptions;
  readonly #cached: StoreBlobBackend;
  readonly #manifests: ManifestFetches;
  readonly #blobs: BlobFetches;
  readonly #sizes: KnownSizes;
  readonly #closing = new AbortController();

  constructor(options: ProxyBackendOptions) {
    this.#options = options;
    this.#cached = new StoreBlobBackend(options);
    this.#sizes = new KnownSizes(options.index, this.#cached);
    this.#blobs = new BlobFetches(options);
    this.#manifests = new ManifestFetches({
      ...options,
      cached: this.#cached,
      signal: this.#closing.signal,
    });
  }

  async openBlob(
    repository: string,
    digest: Digest,
    { peek = false, signal }: OpenBlobOptions = {},
  ): Promise<OpenBlob | undefined> {
    const { pushed, store } = this.#options;
    const here =
      (await pushed.openBlob(repository, digest)) ?? (await this.#cached.openBlob(repository, digest));
    if (here !== undefined) return here;
    const size = await this.#sizes.of(repository, digest);
    if (size !== undefined && (await this.#adopt(repository, digest, size)))
      return storedBlob(store, digest, size);
    const wanted = { repository, digest, size };
    if (!peek) return await this.#blobs.open(wanted, signal);
    const exists = size !== undefined || (await this.#blobs.exists(wanted, signal));
    return exists ? { size, body: () => new Blob(), close: () => undefined } : undefined;
  }

  async hasBlob(repository: string, digest: Digest): Promise<boolean> {
    const { pushed } = this.#options;
    if (await pushed.hasBlob(repository, digest)) return true;
    // A client was told that it need not upload what the upstream has.
    if (!(await this.#cached.hasBlob(repository, digest))) {
      const size = await this.#sizes.of(repository, digest);
      if (size === undefined || !(await this.#blobs.keep({ repository, digest, size }))) return false;
    }
    return await pushed.adoptBlob(repository, digest);
  }

  upload(id: string): Promise<BlobUpload> {
    return this.#options.pushed.upload(id);
  }

  async mountBlob(repository: string, digest: Digest, from: string | undefined): Promise<boolean> {
    const { pushed, index } = this.#options;
    if (await pushed.mountBlob(repository, digest, from)) return true;
    const owner = from ?? index.ownerOf(digest);
    return owner !== undefined && index.has(owner, digest) && (await pushed.adoptBlob(repository, digest));
  }

  putManifest(repository: string, manifest: StoredManifest & { tags: readonly string[] }): Promise<void> {
    return this.#options.pushed.putManifest(repository, manifest);
  }

  async manifest(repository: string, reference: string): Promise<FoundManifest | undefined> {
    const pushed = await this.#options.pushed.manifest(repository, reference);
    if (pushed !== undefined) return pushed;
    const found = await this.#manifests.manifest(repository, reference);
    if (found !== undefined) this.#sizes.learn(repository, found.bytes);
    return found;
  }

  async deleteManifest(repository: string, reference: string): Promise<boolean> {
    if (await this.#options.pushed.deleteManifest(repository, reference)) return true;
    return await this.#cached.deleteManifest(repository, reference);
  }

  async deleteBlob(repository: string, digest: Digest): Promise<boolean> {
    if (await this.#options.pushed.deleteBlob(repository, digest)) return true;
    return await this.#cached.deleteBlob(repository, digest);
  }

  /** What is here and what the upstream has; while it doesn't answer, what is here. */
  async tags(repository: string): Promise<string[] | undefined> {
    const { upstream } = this.#options;
    const [pushed, cached, theirs] = await Promise.all([
      ...this.#both((backend) => backend.tags(repository)),
      upstream.tags(repository, this.#closing.signal).catch(() => undefined),
    ]);
    const known = [pushed, cached, theirs].filter((tags) => tags !== undefined);
    return known.length === 0 ? undefined : [...new Set(known.flat())];
  }

  /** What is here: other registries' catalogs are too large, or nobody's business. */
  async repositories(): Promise<string[]> {
    return [...new Set((await Promise.all(this.#both((backend) => backend.repositories()))).flat())];
  }

  async referrers(repository: string, subject: Digest): Promise<Descriptor[]> {
    const { upstream } = this.#options;
    const all = await Promise.all([
      ...this.#both((backend) => backend.referrers(repository, subject)),
      upstream.referrers(repository, subject, this.#closing.signal).catch(() => []),
    ]);
    return [...new Map(all.flat().map((descriptor) => [descriptor.digest, descriptor])).values()];
  }

  /** Stop what is being fetched; what came so far is kept. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the registry is closing'));
    await this.#blobs.close();
  }

  #both<T>(ask: (backend: StoreBlobBackend) => Promise<T>): [pushed: Promise<T>, cached: Promise<T>] {
    return [ask(this.#options.pushed), ask(this.#cached)];
  }

  /** Take what is in the store already, from another repository or from the engine's own pulls, if a manifest of this repository names it. */
  async #adopt(repository: string, digest: Digest, size: number): Promise<boolean> {
    const { store, keeper, cache } = this.#options;
    if ((await store.size(digest)) !== size) return false;
    const hold = await keeper.hold([digest]);
    try {
      if ((await store.size(digest)) !== size) return false;
      await cache.add(repository, digest, size);
      return true;
    } finally {
      hold.release();
    }
  }
}
