import { EngineError } from '../../errors/engine-error.ts';
import type { Digest } from '../../oci/digest.ts';
import type { BlobIngest, BlobStore } from '../server/store-blob-backend.ts';
import { digestOf } from './sample-image.ts';

/** A content store in memory. */
export class MemoryBlobStore implements BlobStore {
  readonly blobs = new Map<Digest, Uint8Array<ArrayBuffer>>();

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
    return new Response(this.#get(digest).slice(start, end)).body as ReadableStream<Uint8Array>;
  }

  async write(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes);
    this.blobs.set(digest, new Uint8Array(bytes));
    return digest;
  }

  async ingest(): Promise<BlobIngest> {
    const chunks: Uint8Array[] = [];
    const size = () => chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const commit = async ({ digest }: { digest: Digest }) => {
      const bytes = new Uint8Array(Buffer.concat(chunks));
      if (digestOf(bytes) !== digest)
        throw new EngineError('invalid', 'digest mismatch', { code: 'digest-mismatch' });
      this.blobs.set(digest, bytes);
    };
    return {
      get offset() {
        return size();
      },
      write: async (chunk) => void chunks.push(chunk.slice()),
      commit,
      close: async () => undefined,
      abort: async () => void chunks.splice(0),
    };
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
