import { kindOf } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import type {
  BlobBackend,
  BlobKeeper,
  BlobStore,
  BlobUpload,
  FoundManifest,
  OpenBlob,
  StoredManifest,
} from './blob-backend.ts';
import { MAX_MANIFEST_BYTES } from './manifest.ts';
import type { RepositoryIndex } from './repository-index.ts';

export interface StoreBlobBackendOptions {
  store: BlobStore;
  index: RepositoryIndex;
  keeper: BlobKeeper;
}

/** A registry's repositories over a store of blobs, which may be others' too. */
export class StoreBlobBackend implements BlobBackend {
  readonly #store: BlobStore;
  readonly #index: RepositoryIndex;
  readonly #keeper: BlobKeeper;

  constructor({ store, index, keeper }: StoreBlobBackendOptions) {
    this.#store = store;
    this.#index = index;
    this.#keeper = keeper;
  }

  async openBlob(repository: string, digest: Digest): Promise<OpenBlob | undefined> {
    if (!this.#index.has(repository, digest)) return undefined;
    const size = await this.#store.size(digest);
    if (size === undefined) return undefined;
    this.#index.touch(repository, digest);
    return storedBlob(this.#store, digest, size);
  }

  async hasBlob(repository: string, digest: Digest): Promise<boolean> {
    if (!this.#index.has(repository, digest)) return false;
    this.#index.touch(repository, digest);
    return (await this.#store.size(digest)) !== undefined;
  }

  async upload(id: string): Promise<BlobUpload> {
    const ingest = await this.#store.ingest(`registry-${id}`, { ephemeral: true });
    return {
      get offset() {
        return ingest.offset;
      },
      write: (chunk) => ingest.write(chunk),
      commit: (repository, digest) =>
        this.#held([digest], async () => {
          await ingest.commit({ digest });
          await this.#index.linkBlob(repository, digest);
        }),
      close: () => ingest.close(),
      abort: () => ingest.abort(),
    };
  }

  async mountBlob(repository: string, digest: Digest, from: string | undefined): Promise<boolean> {
    return await this.#held([digest], async () => {
      const owner = from ?? this.#index.ownerOf(digest);
      if (owner === undefined || !(await this.hasBlob(owner, digest))) return false;
      await this.#index.linkBlob(repository, digest);
      return true;
    });
  }

  /** Make what the store has a member of the repository. False: it has no such blob. */
  async adoptBlob(repository: string, digest: Digest): Promise<boolean> {
    return await this.#held([digest], async () => {
      if ((await this.#store.size(digest)) === undefined) return false;
      await this.#index.linkBlob(repository, digest);
      return true;
    });
  }

  async putManifest(
    repository: string,
    { descriptor, bytes, subject, tags }: StoredManifest & { tags: readonly string[] },
  ): Promise<void> {
    await this.#held([descriptor.digest], async () => {
      await this.#store.write(bytes, descriptor.digest);
      const entry = { descriptor, ...(subject === undefined ? {} : { subject }) };
      await this.#index.putManifest(repository, entry, tags);
    });
  }

  async manifest(repository: string, reference: string): Promise<FoundManifest | undefined> {
    const known = this.#index.repository(repository);
    const digest = isDigest(reference) ? reference : known?.tags.get(reference);
    const entry = digest === undefined ? undefined : known?.manifests.get(digest);
    if (entry === undefined) return undefined;
    this.#index.touch(repository, entry.descriptor.digest);
    try {
      const bytes = await this.#store.read(entry.descriptor.digest, { maxBytes: MAX_MANIFEST_BYTES });
      return { descriptor: entry.descriptor, bytes };
    } catch (error) {
      // Gone or damaged: a push of the same mends it.
      if (kindOf(error) === 'not-found') return undefined;
      throw error;
    }
  }

  async deleteManifest(repository: string, reference: string): Promise<boolean> {
    if (!isDigest(reference)) return await this.#index.removeTag(repository, reference);
    const removed = await this.#index.removeManifest(repository, reference);
    if (removed) await this.#keeper.release([reference]);
    return removed;
  }

  async deleteBlob(repository: string, digest: Digest): Promise<boolean> {
    const removed = await this.#index.unlinkBlob(repository, digest);
    if (removed) await this.#keeper.release([digest]);
    return removed;
  }

  async tags(repository: string): Promise<string[] | undefined> {
    const known = this.#index.repository(repository);
    // An upload alone makes no repository.
    return known === undefined || known.manifests.size === 0 ? undefined : [...known.tags.keys()];
  }

  async repositories(): Promise<string[]> {
    return this.#index.names().filter((name) => (this.#index.repository(name)?.manifests.size ?? 0) > 0);
  }

  async referrers(repository: string, subject: Digest): Promise<Descriptor[]> {
    const manifests = [...(this.#index.repository(repository)?.manifests.values() ?? [])];
    return manifests.filter((entry) => entry.subject === subject).map(({ descriptor }) => descriptor);
  }

  async #held<T>(digests: readonly Digest[], action: () => Promise<T>): Promise<T> {
    const hold = await this.#keeper.hold(digests);
    try {
      return await action();
    } finally {
      hold.release();
    }
  }
}

export function storedBlob(store: BlobStore, digest: Digest, size: number): OpenBlob {
  return { size, body: (range) => storedBody(store, digest, range), close: () => undefined };
}

/** The bytes of a stored blob: the file itself where there is one, so that the kernel sends it. */
function storedBody(
  store: BlobStore,
  digest: Digest,
  range?: { start: number; end: number },
): Blob | ReadableStream<Uint8Array> {
  const path = store.path?.(digest);
  if (path === undefined) return store.stream(digest, range);
  const file = Bun.file(path);
  return range === undefined ? file : file.slice(range.start, range.end);
}
