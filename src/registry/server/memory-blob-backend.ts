import { EngineError } from '../../errors/engine-error.ts';
import { algorithmOf, type Digest, digestOf } from '../../oci/digest.ts';
import type { BlobIngest, BlobStore } from './blob-backend.ts';
import { OwnBlobCollector } from './blob-collector.ts';
import { RepositoryIndex } from './repository-index.ts';
import { StoreBlobBackend } from './store-blob-backend.ts';

/** A registry's contents in memory, for tests. */
export class MemoryBlobBackend extends StoreBlobBackend {
  constructor(store = new MemoryBlobStore(), index = new RepositoryIndex()) {
    super({ store, index, keeper: new OwnBlobCollector(store, () => index.digests()) });
  }
}

/** A content store in memory. */
export class MemoryBlobStore implements BlobStore {
  readonly blobs = new Map<Digest, Uint8Array<ArrayBuffer>>();
  /** What was begun and not finished, by key. */
  readonly ingests = new Map<string, Uint8Array[]>();

  async size(digest: Digest): Promise<number | undefined> {
    return this.blobs.get(digest)?.length;
  }

  async read(digest: Digest): Promise<Uint8Array> {
    return this.#get(digest);
  }

  stream(
    digest: Digest,
    { start = 0, end }: { start?: number; end?: number } = {},
  ): ReadableStream<Uint8Array> {
    // A stream of known length: the server then sends Content-Length.
    return new Blob([this.#get(digest).slice(start, end)]).stream();
  }

  async write(bytes: Uint8Array, expected?: Digest): Promise<Digest> {
    const digest = digestOf(bytes, expected === undefined ? 'sha256' : algorithmOf(expected));
    this.blobs.set(digest, new Uint8Array(bytes));
    return digest;
  }

  async ingest(key: string): Promise<BlobIngest> {
    const chunks = this.ingests.get(key) ?? [];
    this.ingests.set(key, chunks);
    const forget = () => void this.ingests.delete(key);
    const commit = async ({ digest }: { digest: Digest }) => {
      forget();
      const bytes = new Uint8Array(Buffer.concat(chunks));
      const actual = digestOf(bytes, algorithmOf(digest));
      if (actual !== digest)
        throw new EngineError('invalid', `digest mismatch: expected ${digest}, got ${actual}`, {
          code: 'digest-mismatch',
        });
      this.blobs.set(digest, bytes);
    };
    return {
      get offset() {
        return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      },
      write: async (chunk) => void chunks.push(chunk.slice()),
      replay: (start = 0) => new Blob([new Uint8Array(Buffer.concat(chunks)).slice(start)]).stream(),
      commit,
      close: async () => undefined,
      abort: async () => forget(),
    };
  }

  async forgetIngest(key: string): Promise<void> {
    this.ingests.delete(key);
  }

  async *list(): AsyncGenerator<{ digest: Digest; sizeBytes: number }> {
    for (const [digest, { length }] of this.blobs) yield { digest, sizeBytes: length };
  }

  async remove(digest: Digest): Promise<void> {
    this.blobs.delete(digest);
  }

  #get(digest: Digest): Uint8Array<ArrayBuffer> {
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) throw new EngineError('not-found', `No such blob: ${digest}`);
    return bytes;
  }
}
