import { type FileHandle, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EngineError } from '../errors/engine-error.ts';
import { algorithmOf, type Digest, type DigestAlgorithm } from '../oci/digest.ts';
import { syncDirectory } from '../storage/atomic-file.ts';
import type { Ingest, IngestOptions } from './content-store.ts';
import { storageError } from './storage-error.ts';

const BUFFER_BYTES = 256 << 10;

export interface IngestPlace {
  key: string;
  path: string;
  /** Where a blob lies once it is published. */
  blobPath: (digest: Digest) => string;
}

/** An ingest on one locked file. Writes are gathered into 256 KiB and go to disk while the next bytes are hashed. */
export class LocalIngest implements Ingest {
  readonly #place: IngestPlace;
  readonly #handle: FileHandle;
  readonly #algorithm: DigestAlgorithm;
  readonly #hasher: Bun.CryptoHasher;
  /** Bytes handed to the file so far, in flight ones included. */
  #fileOffset: number;
  #buffer: Uint8Array<ArrayBuffer> | undefined;
  #filled = 0;
  #spare: Uint8Array<ArrayBuffer> | undefined;
  #inFlight: Promise<void> | undefined;
  #failure: EngineError | undefined;
  #open = true;

  private constructor(
    place: IngestPlace,
    handle: FileHandle,
    state: { algorithm: DigestAlgorithm; hasher: Bun.CryptoHasher; size: number },
  ) {
    this.#place = place;
    this.#handle = handle;
    this.#algorithm = state.algorithm;
    this.#hasher = state.hasher;
    this.#fileOffset = state.size;
  }

  /** `handle` is locked. What the file holds is hashed first, unless `restart`. Owns the handle, also on failure. */
  static async resume(
    place: IngestPlace,
    handle: FileHandle,
    { restart = false, algorithm = 'sha256' }: IngestOptions,
  ): Promise<LocalIngest> {
    try {
      const hasher = new Bun.CryptoHasher(algorithm);
      if (restart) await handle.truncate(0);
      const size = restart ? 0 : await hashFile(handle, hasher);
      return new LocalIngest(place, handle, { algorithm, hasher, size });
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get offset(): number {
    return this.#fileOffset + this.#filled;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#check();
    this.#hasher.update(chunk as Uint8Array<ArrayBuffer>);
    for (let at = 0; at < chunk.length; ) {
      this.#buffer ??= this.#spare ?? new Uint8Array(BUFFER_BYTES);
      if (this.#buffer === this.#spare) this.#spare = undefined;
      const part = chunk.subarray(at, at + BUFFER_BYTES - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === BUFFER_BYTES) await this.#flush();
    }
  }

  replay(start = 0): ReadableStream<Uint8Array> {
    const part = { start, end: Math.max(this.offset, start) };
    return replayFile(this.#handle, part, () => this.#settle());
  }

  async digest(): Promise<Digest> {
    await this.#settle();
    return `${this.#algorithm}:${this.#hasher.copy().digest('hex')}` as Digest;
  }

  async commit(expected: { digest?: Digest; size?: number } = {}): Promise<{ digest: Digest; size: number }> {
    await this.#settle();
    const size = this.#fileOffset;
    const digest = await this.#digestBy(
      expected.digest === undefined ? this.#algorithm : algorithmOf(expected.digest),
    );
    if (expected.size !== undefined && expected.size !== size)
      return this.#refuse(`expected ${expected.size} bytes, got ${size}`);
    if (expected.digest !== undefined && expected.digest !== digest)
      return this.#refuse(`expected ${expected.digest}, got ${digest}`);
    const target = this.#place.blobPath(digest);
    if (await isShared(target, size)) {
      await this.abort();
      return { digest, size };
    }
    try {
      await this.#handle.datasync();
      await rename(this.#place.path, target);
      await this.#release();
      await syncDirectory(dirname(target));
    } catch (error) {
      await this.close();
      throw storageError(error, `Cannot store ${digest}`);
    }
    return { digest, size };
  }

  async #digestBy(algorithm: DigestAlgorithm): Promise<Digest> {
    const isOwn = algorithm === this.#algorithm;
    const hasher = isOwn ? this.#hasher : new Bun.CryptoHasher(algorithm);
    if (!isOwn) await hashFile(this.#handle, hasher);
    return `${algorithm}:${hasher.digest('hex')}` as Digest;
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    try {
      await this.#settle();
    } catch {
      // What did not reach the disk is downloaded again.
    }
    await this.#release();
  }

  async abort(): Promise<void> {
    if (!this.#open) return;
    await this.#inFlight?.catch(() => undefined);
    await unlink(this.#place.path).catch(() => undefined);
    await this.#release();
  }

  async #refuse(why: string): Promise<never> {
    await this.abort();
    throw new EngineError('invalid', `failed to verify blob ${JSON.stringify(this.#place.key)}: ${why}`, {
      code: 'digest-mismatch',
    });
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#open) throw new EngineError('internal', `Ingest ${JSON.stringify(this.#place.key)} is closed`);
  }

  /** Start writing the full buffer once the one before is down. */
  async #flush(): Promise<void> {
    await this.#inFlight;
    this.#check();
    const buffer = this.#buffer;
    if (buffer === undefined || this.#filled === 0) return;
    const bytes = buffer.subarray(0, this.#filled);
    const position = this.#fileOffset;
    this.#fileOffset += bytes.length;
    this.#filled = 0;
    this.#buffer = undefined;
    this.#inFlight = writeFully(this.#handle, bytes, position).then(
      () => {
        this.#spare = buffer;
      },
      (error: unknown) => {
        this.#failure = storageError(error, 'Cannot write blob');
      },
    );
  }

  async #settle(): Promise<void> {
    await this.#flush();
    await this.#inFlight;
    this.#check();
  }

  async #release(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#buffer = undefined;
    this.#spare = undefined;
    await this.#handle.close();
  }
}

/** A layer's tar has this blob as its file: another file under the blob's name would keep the bytes twice. */
async function isShared(path: string, sizeBytes: number): Promise<boolean> {
  try {
    const { nlink, size } = await stat(path);
    return nlink > 1 && size === sizeBytes;
  } catch {
    return false;
  }
}

async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}

async function hashFile(handle: FileHandle, hasher: Bun.CryptoHasher): Promise<number> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  let size = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, size);
    if (bytesRead === 0) return size;
    hasher.update(buffer.subarray(0, bytesRead));
    size += bytesRead;
  }
}

const REPLAY_BYTES = 256 << 10;

/** Bytes of a file, once `ready`. */
function replayFile(
  handle: FileHandle,
  { start, end }: { start: number; end: number },
  ready: () => Promise<void>,
): ReadableStream<Uint8Array> {
  let at = start;
  return new ReadableStream<Uint8Array>(
    {
      start: ready,
      async pull(controller) {
        const buffer = new Uint8Array(Math.min(REPLAY_BYTES, end - at));
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
        at += bytesRead;
        if (bytesRead > 0) controller.enqueue(buffer.subarray(0, bytesRead));
        if (bytesRead === 0 || at >= end) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}
