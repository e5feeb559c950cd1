import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf } from '../errors/engine-error.ts';
import {
  algorithmOf,
  DIGEST_ALGORITHMS,
  type Digest,
  type DigestAlgorithm,
  digestOf,
  hasDigest,
  hexOf,
  isDigest,
} from '../oci/digest.ts';
import { syncDirectory, writeFileAtomic } from '../storage/atomic-file.ts';
import type { ContentStore, Ingest, IngestOptions } from './content-store.ts';
import { openIngestFile } from './ingest-file.ts';
import { LocalIngest } from './local-ingest.ts';
import { storageError } from './storage-error.ts';

/** Ends the names of files that nobody goes on with after a crash. */
const EPHEMERAL = '.ephemeral';

/** An OCI layout at `root`: `oci-layout`, `blobs/<algorithm>/<hex>`, and beside them `ingest/<hash of the key>`. */
export class LocalContentStore implements ContentStore {
  readonly root: string;
  readonly #blobs: string;
  readonly #ingests: string;

  private constructor(root: string) {
    this.root = root;
    this.#blobs = join(root, 'blobs');
    this.#ingests = join(root, 'ingest');
  }

  /** Open the store at `root`, making what is absent. Any number of instances, in any thread, may be open on one root. */
  static async open(root: string): Promise<LocalContentStore> {
    const store = new LocalContentStore(root);
    for (const algorithm of DIGEST_ALGORITHMS)
      await mkdir(store.#folder(algorithm), { recursive: true, mode: 0o700 });
    await mkdir(store.#ingests, { recursive: true, mode: 0o700 });
    const layout = join(root, 'oci-layout');
    if (!existsSync(layout)) await writeFileAtomic(layout, '{"imageLayoutVersion":"1.0.0"}', { mode: 0o644 });
    return store;
  }

  path(digest: Digest): string {
    return join(this.#folder(algorithmOf(digest)), hexOf(digest));
  }

  async size(digest: Digest): Promise<number | undefined> {
    try {
      return (await stat(this.path(digest))).size;
    } catch (error) {
      if (errnoCodeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async read(digest: Digest, options: { maxBytes: number }): Promise<Uint8Array> {
    const size = await this.size(digest);
    if (size === undefined) throw notFound(digest);
    if (size > options.maxBytes)
      throw new EngineError(
        'invalid',
        `Blob ${digest} has ${size} bytes, at most ${options.maxBytes} are taken`,
        {
          code: 'size-exceeded',
        },
      );
    const bytes = await readFile(this.path(digest));
    if (hasDigest(bytes, digest)) return bytes;
    throw new EngineError('not-found', `Blob ${digest} is damaged`, { code: 'digest-mismatch' });
  }

  stream(digest: Digest, options: { start?: number; end?: number } = {}): ReadableStream<Uint8Array> {
    if (!existsSync(this.path(digest))) throw notFound(digest);
    const file = Bun.file(this.path(digest));
    if (options.start === undefined && options.end === undefined) return file.stream();
    return file.slice(options.start ?? 0, options.end ?? file.size).stream();
  }

  async write(bytes: Uint8Array, expected?: Digest): Promise<Digest> {
    const digest = digestOf(bytes, expected === undefined ? 'sha256' : algorithmOf(expected));
    if (expected !== undefined && expected !== digest)
      throw new EngineError('invalid', `Cannot store blob: expected ${expected}, got ${digest}`, {
        code: 'digest-mismatch',
      });
    if (await this.#holds(digest, bytes)) return digest;
    try {
      await writeFileAtomic(this.path(digest), bytes);
    } catch (error) {
      throw storageError(error, `Cannot store ${digest}`);
    }
    return digest;
  }

  async ingest(key: string, options: IngestOptions = {}): Promise<Ingest> {
    const path = this.#ingestPath(key) + (options.ephemeral === true ? EPHEMERAL : '');
    const handle = await openIngestFile(path, key);
    const place = { key, path, blobPath: (digest: Digest) => this.path(digest) };
    return await LocalIngest.resume(place, handle, options);
  }

  async adopt(path: string, digest: Digest): Promise<void> {
    try {
      await rename(path, this.path(digest));
      // One file under both names is left where it was.
      await removeIfThere(path);
      await syncDirectory(this.#folder(algorithmOf(digest)));
    } catch (error) {
      throw storageError(error, `Cannot store ${digest}`);
    }
  }

  async remove(digest: Digest): Promise<void> {
    await removeIfThere(this.path(digest));
  }

  async *list(): AsyncGenerator<{ digest: Digest; sizeBytes: number }> {
    for (const algorithm of DIGEST_ALGORITHMS)
      for (const name of await readdir(this.#folder(algorithm))) {
        const digest = `${algorithm}:${name}`;
        if (!isDigest(digest)) continue;
        const sizeBytes = await this.size(digest);
        if (sizeBytes !== undefined) yield { digest, sizeBytes };
      }
  }

  async forgetIngest(key: string): Promise<void> {
    await this.#sweepIngest(this.#ingestPath(key), Number.POSITIVE_INFINITY);
  }

  /** Also removes what a crash left of small writes: those of an earlier process will not be gone on with. */
  async sweepIngests(olderThanMs: number): Promise<void> {
    const before = Date.now() - olderThanMs;
    const ours = Math.max(before, performance.timeOrigin);
    for (const name of await readdir(this.#ingests))
      await this.#sweepIngest(join(this.#ingests, name), name.endsWith(EPHEMERAL) ? ours : before);
    for (const algorithm of DIGEST_ALGORITHMS) await this.#sweepWrites(this.#folder(algorithm), ours);
  }

  async #sweepWrites(folder: string, before: number): Promise<void> {
    for (const name of await readdir(folder))
      if (name.endsWith('.tmp') && (await modifiedBefore(join(folder, name), before)))
        await removeIfThere(join(folder, name));
  }

  #folder(algorithm: DigestAlgorithm): string {
    return join(this.#blobs, algorithm);
  }

  #ingestPath(key: string): string {
    return join(this.#ingests, createHash('sha256').update(key).digest('hex'));
  }

  /** A damaged blob is written anew. */
  async #holds(digest: Digest, bytes: Uint8Array): Promise<boolean> {
    if ((await this.size(digest)) !== bytes.length) return false;
    return (await readFile(this.path(digest))).equals(bytes);
  }

  async #sweepIngest(path: string, before: number): Promise<void> {
    if (!(await modifiedBefore(path, before))) return;
    try {
      const handle = await openIngestFile(path, path);
      await removeIfThere(path);
      await handle.close();
    } catch (error) {
      if (!(error instanceof EngineError && error.kind === 'conflict')) throw error;
    }
  }
}

async function modifiedBefore(path: string, timeMs: number): Promise<boolean> {
  try {
    return (await stat(path)).mtimeMs <= timeMs;
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error;
  }
}

function notFound(digest: Digest): EngineError {
  return new EngineError('not-found', `No such blob: ${digest}`);
}
