import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, hexOf, isDigest } from '../../oci/digest.ts';
import { isRepositoryPath, isTag } from '../../oci/reference.ts';
import type { BlobBackend, BlobUpload, StoredManifest } from './blob-backend.ts';
import { exists, writeDurably } from './durable-file.ts';
import { MAX_MANIFEST_BYTES } from './manifest-endpoint.ts';

/** What the backend needs of a store of blobs; the engine's content store has this shape. */
export interface BlobStore {
  size(digest: Digest): Promise<number | undefined>;
  path?(digest: Digest): string;
  read(digest: Digest, options: { maxBytes: number }): Promise<Uint8Array>;
  stream(digest: Digest, options?: { start?: number; end?: number }): ReadableStream<Uint8Array>;
  write(bytes: Uint8Array, expected?: Digest): Promise<Digest>;
  ingest(key: string): Promise<BlobIngest>;
  remove(digest: Digest): Promise<void>;
}

export interface BlobIngest {
  readonly offset: number;
  write(chunk: Uint8Array): Promise<void>;
  commit(expected: { digest: Digest }): Promise<unknown>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/** A manifest's entry in its repository. */
interface ManifestEntry {
  descriptor: Descriptor;
  subject?: Digest;
}

const BLOBS = '_blobs';
const MANIFESTS = '_manifests';
const TAGS = '_tags';

/**
 * A registry on disk: blobs in a content store of its own (nobody else removes them), repositories as folders of small files.
 * `_` begins no component of a repository's name, so that names can't meet them:
 *
 * - `<name>/_blobs/<hex>` is empty: the blob belongs to the repository
 * - `<name>/_manifests/<hex>` is the descriptor and subject, JSON
 * - `<name>/_tags/<tag>` is a digest
 *
 * Each is written whole, synced and renamed; a manifest before its tag, a blob before its entry: after a crash what is named is here.
 */
export class StoreBlobBackend implements BlobBackend {
  readonly #store: BlobStore;
  readonly #root: string;

  constructor(store: BlobStore, repositoriesDirectory: string) {
    this.#store = store;
    this.#root = repositoriesDirectory;
  }

  blobSize(digest: Digest): Promise<number | undefined> {
    return this.#store.size(digest);
  }

  blobStream(digest: Digest, range?: { start: number; end: number }): ReadableStream<Uint8Array> {
    return this.#store.stream(digest, range);
  }

  blobPath(digest: Digest): string | undefined {
    return this.#store.path?.(digest);
  }

  async upload(id: string): Promise<BlobUpload> {
    const ingest = await this.#store.ingest(`registry-${id}`);
    return {
      get offset() {
        return ingest.offset;
      },
      write: (chunk) => ingest.write(chunk),
      commit: async (digest) => {
        await ingest.commit({ digest });
      },
      close: () => ingest.close(),
      abort: () => ingest.abort(),
    };
  }

  async putManifest(
    repository: string,
    manifest: StoredManifest & { tag: string | undefined },
  ): Promise<void> {
    const { descriptor, bytes, subject, tag } = manifest;
    await this.#store.write(bytes, descriptor.digest);
    await this.linkBlob(repository, descriptor.digest);
    const entry: ManifestEntry = { descriptor, ...(subject === undefined ? {} : { subject }) };
    await writeDurably(this.#file(repository, MANIFESTS, hexOf(descriptor.digest)), JSON.stringify(entry));
    if (tag !== undefined) await writeDurably(this.#file(repository, TAGS, tag), descriptor.digest);
  }

  async manifest(
    repository: string,
    reference: string,
  ): Promise<{ descriptor: Descriptor; bytes: Uint8Array } | undefined> {
    const digest = isDigest(reference) ? reference : await this.#tagged(repository, reference);
    const entry = digest === undefined ? undefined : await this.#entry(repository, digest);
    if (entry === undefined) return undefined;
    const bytes = await this.#store.read(entry.descriptor.digest, { maxBytes: MAX_MANIFEST_BYTES });
    return { descriptor: entry.descriptor, bytes };
  }

  async hasBlob(repository: string, digest: Digest): Promise<boolean> {
    if (!(await exists(this.#file(repository, BLOBS, hexOf(digest))))) return false;
    return (await this.#store.size(digest)) !== undefined;
  }

  async linkBlob(repository: string, digest: Digest): Promise<void> {
    await writeDurably(this.#file(repository, BLOBS, hexOf(digest)), '');
  }

  async deleteManifest(repository: string, reference: string): Promise<boolean> {
    if (!isDigest(reference)) return removeFile(this.#file(repository, TAGS, reference));
    for (const tag of (await this.tags(repository)) ?? [])
      if ((await this.#tagged(repository, tag)) === reference)
        await removeFile(this.#file(repository, TAGS, tag));
    const removed = await removeFile(this.#file(repository, MANIFESTS, hexOf(reference)));
    if (removed) await this.deleteBlob(repository, reference);
    return removed;
  }

  /** Takes the blob out of the repository, and off the disk once no repository has it. */
  async deleteBlob(repository: string, digest: Digest): Promise<boolean> {
    if (!(await removeFile(this.#file(repository, BLOBS, hexOf(digest))))) return false;
    for (const other of await this.#allRepositories())
      if (await exists(this.#file(other, BLOBS, hexOf(digest)))) return true;
    await this.#store.remove(digest);
    return true;
  }

  async tags(repository: string): Promise<string[] | undefined> {
    const names = await list(join(this.#root, repository, TAGS));
    if (names !== undefined) return names.filter(isTag);
    return (await list(join(this.#root, repository, MANIFESTS))) === undefined ? undefined : [];
  }

  /** Those that hold a manifest: an upload alone makes none. */
  async repositories(): Promise<string[]> {
    const all = await this.#allRepositories();
    const held = await Promise.all(all.map((name) => list(join(this.#root, name, MANIFESTS))));
    return all.filter((_, index) => (held[index]?.length ?? 0) > 0);
  }

  async referrers(repository: string, subject: Digest): Promise<Descriptor[]> {
    const names = (await list(join(this.#root, repository, MANIFESTS))) ?? [];
    const digests = names.map((hex) => `sha256:${hex}`).filter(isDigest);
    const entries = await Promise.all(digests.map((digest) => this.#entry(repository, digest)));
    return entries.filter((entry) => entry?.subject === subject).flatMap((entry) => entry?.descriptor ?? []);
  }

  async #tagged(repository: string, tag: string): Promise<Digest | undefined> {
    const digest = await readOptional(this.#file(repository, TAGS, tag));
    return digest !== undefined && isDigest(digest) ? digest : undefined;
  }

  async #entry(repository: string, digest: Digest): Promise<ManifestEntry | undefined> {
    const text = await readOptional(this.#file(repository, MANIFESTS, hexOf(digest)));
    return text === undefined ? undefined : (JSON.parse(text) as ManifestEntry);
  }

  async #allRepositories(prefix = ''): Promise<string[]> {
    const children = (await list(join(this.#root, prefix))) ?? [];
    const here = children.some((child) => child.startsWith('_')) ? [prefix] : [];
    const names = children
      .filter((child) => !child.startsWith('_'))
      .map((child) => (prefix === '' ? child : `${prefix}/${child}`));
    const below = await Promise.all(
      names.filter(isRepositoryPath).map((name) => this.#allRepositories(name)),
    );
    return [...here, ...below.flat()];
  }

  /** @throws EngineError "invalid": the handler has checked names before, this is the last door. */
  #file(repository: string, folder: string, name: string): string {
    if (!isRepositoryPath(repository) || !(isTag(name) || /^[a-f0-9]{64}$/.test(name)))
      throw new EngineError(
        'invalid',
        `Cannot store ${JSON.stringify(`${repository}/${name}`)}: not a valid name`,
      );
    return join(this.#root, repository, folder, name);
  }
}

async function list(directory: string): Promise<string[] | undefined> {
  return readdir(directory).catch((error: unknown) => absent(error));
}

async function readOptional(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: unknown) => absent(error));
}

async function removeFile(path: string): Promise<boolean> {
  if (!(await exists(path))) return false;
  await rm(path, { force: true });
  return true;
}

function absent(error: unknown): undefined {
  const code = errnoCodeOf(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
  throw error;
}
