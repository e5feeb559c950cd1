import { createHash } from 'node:crypto';
import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import type { BlobBackend, BlobUpload, StoredManifest } from './blob-backend.ts';

interface Repository {
  blobs: Set<Digest>;
  manifests: Map<Digest, StoredManifest>;
  tags: Map<string, Digest>;
}

/** A registry's contents in memory, for tests. */
export class MemoryBlobBackend implements BlobBackend {
  readonly #blobs = new Map<Digest, Uint8Array>();
  readonly #repositories = new Map<string, Repository>();
  readonly #uploads = new Map<string, Uint8Array[]>();

  async blobSize(digest: Digest): Promise<number | undefined> {
    return this.#blobs.get(digest)?.length;
  }

  blobStream(digest: Digest, range?: { start: number; end: number }): ReadableStream<Uint8Array> {
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined) throw new EngineError('not-found', `No such blob: ${digest}`);
    const part = new Uint8Array(bytes.subarray(range?.start ?? 0, range?.end ?? bytes.length));
    // A stream of known length: the server then sends Content-Length.
    return new Blob([part]).stream();
  }

  async upload(id: string): Promise<BlobUpload> {
    const chunks = this.#uploads.get(id) ?? [];
    this.#uploads.set(id, chunks);
    const forget = () => this.#uploads.delete(id);
    return new MemoryUpload({ chunks, forget, store: (digest, bytes) => this.#blobs.set(digest, bytes) });
  }

  async putManifest(
    repository: string,
    manifest: StoredManifest & { tag: string | undefined },
  ): Promise<void> {
    const { digest } = manifest.descriptor;
    const entry = this.#open(repository);
    this.#blobs.set(digest, manifest.bytes.slice());
    entry.blobs.add(digest);
    entry.manifests.set(digest, { ...manifest, bytes: manifest.bytes.slice() });
    if (manifest.tag !== undefined) entry.tags.set(manifest.tag, digest);
  }

  async manifest(
    repository: string,
    reference: string,
  ): Promise<{ descriptor: Descriptor; bytes: Uint8Array } | undefined> {
    const entry = this.#repositories.get(repository);
    const digest = isDigest(reference) ? reference : entry?.tags.get(reference);
    return digest === undefined ? undefined : entry?.manifests.get(digest);
  }

  async hasBlob(repository: string, digest: Digest): Promise<boolean> {
    return this.#blobs.has(digest) && (this.#repositories.get(repository)?.blobs.has(digest) ?? false);
  }

  async linkBlob(repository: string, digest: Digest): Promise<void> {
    this.#open(repository).blobs.add(digest);
  }

  async deleteManifest(repository: string, reference: string): Promise<boolean> {
    const entry = this.#repositories.get(repository);
    if (entry === undefined) return false;
    if (!isDigest(reference)) return entry.tags.delete(reference);
    for (const [tag, digest] of entry.tags) if (digest === reference) entry.tags.delete(tag);
    entry.blobs.delete(reference);
    return entry.manifests.delete(reference);
  }

  async deleteBlob(repository: string, digest: Digest): Promise<boolean> {
    return this.#repositories.get(repository)?.blobs.delete(digest) ?? false;
  }

  async tags(repository: string): Promise<string[] | undefined> {
    const tags = this.#repositories.get(repository)?.tags;
    return tags === undefined ? undefined : [...tags.keys()];
  }

  async repositories(): Promise<string[]> {
    return [...this.#repositories.keys()];
  }

  async referrers(repository: string, subject: Digest): Promise<Descriptor[]> {
    const manifests = [...(this.#repositories.get(repository)?.manifests.values() ?? [])];
    return manifests.filter((manifest) => manifest.subject === subject).map(({ descriptor }) => descriptor);
  }

  #open(name: string): Repository {
    const known = this.#repositories.get(name);
    if (known !== undefined) return known;
    const fresh: Repository = { blobs: new Set(), manifests: new Map(), tags: new Map() };
    this.#repositories.set(name, fresh);
    return fresh;
  }
}

interface UploadState {
  chunks: Uint8Array[];
  forget: () => void;
  store: (digest: Digest, bytes: Uint8Array) => void;
}

class MemoryUpload implements BlobUpload {
  readonly #state: {
    chunks: Uint8Array[];
    forget: () => void;
    store: (digest: Digest, bytes: Uint8Array) => void;
  };
  #offset: number;

  constructor(state: UploadState) {
    this.#state = state;
    this.#offset = state.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  get offset(): number {
    return this.#offset;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#state.chunks.push(chunk.slice());
    this.#offset += chunk.length;
  }

  async commit(digest: Digest): Promise<void> {
    const bytes = Buffer.concat(this.#state.chunks);
    this.#state.forget();
    const actual = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (actual !== digest)
      throw new EngineError('invalid', `digest mismatch: expected ${digest}, got ${actual}`, {
        code: 'digest-mismatch',
      });
    this.#state.store(digest, bytes);
  }

  async close(): Promise<void> {}

  async abort(): Promise<void> {
    this.#state.forget();
  }
}
