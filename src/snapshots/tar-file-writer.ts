import { type FileHandle, link, open } from 'node:fs/promises';
import { errnoCodeOf } from '../errors/engine-error.ts';

const bufferBytes = 256 << 10;

/** Where the bytes of a layer's tar go. */
export interface TarTarget {
  /** Bytes taken so far. */
  readonly size: number;
  write(chunk: Uint8Array): Promise<void>;
  /** All bytes are on the disk when this resolves. */
  finish(): Promise<void>;
  abort(): Promise<void>;
}

/**
 * A new file at `path`. Where the same bytes lie in `existing` already, synced and never to change, it becomes another name of that file and nothing is
 * written, if the file system has hard links for it.
 */
export async function openTarTarget(path: string, existing?: string): Promise<TarTarget> {
  if (existing === undefined) return await TarFileWriter.create(path);
  try {
    await link(existing, path);
    return new LinkedTar();
  } catch (error) {
    if (!UNLINKABLE.has(errnoCodeOf(error) ?? '')) throw error;
    return await TarFileWriter.create(path);
  }
}

const UNLINKABLE = new Set(['EXDEV', 'EMLINK', 'EPERM', 'EOPNOTSUPP']);

class LinkedTar implements TarTarget {
  size = 0;

  async write(chunk: Uint8Array): Promise<void> {
    this.size += chunk.length;
  }

  async finish(): Promise<void> {}

  async abort(): Promise<void> {}
}

/** Appends to a new file in big writes; one is under way while the next buffer fills. */
class TarFileWriter implements TarTarget {
  readonly #file: FileHandle;
  #buffer = Buffer.allocUnsafeSlow(bufferBytes);
  #spare = Buffer.allocUnsafeSlow(bufferBytes);
  #fill = 0;
  #position = 0;
  #underWay: Promise<void> | undefined;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async create(path: string): Promise<TarFileWriter> {
    return new TarFileWriter(await open(path, 'wx', 0o600));
  }

  /** Bytes taken so far. */
  get size(): number {
    return this.#position + this.#fill;
  }

  async write(chunk: Uint8Array): Promise<void> {
    let at = 0;
    while (at < chunk.length) {
      const length = Math.min(chunk.length - at, bufferBytes - this.#fill);
      this.#buffer.set(chunk.subarray(at, at + length), this.#fill);
      this.#fill += length;
      at += length;
      if (this.#fill === bufferBytes) await this.#flush();
    }
  }

  /** All bytes are on the disk when this resolves. */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#underWay;
    await this.#file.datasync();
    await this.#file.close();
  }

  async abort(): Promise<void> {
    await this.#underWay?.catch(() => undefined);
    await this.#file.close().catch(() => undefined);
  }

  async #flush(): Promise<void> {
    await this.#underWay;
    if (this.#fill === 0) return;
    const full = this.#buffer;
    this.#underWay = writeAll(this.#file, full.subarray(0, this.#fill), this.#position);
    // Awaited by the next flush; until then a failure is no unhandled rejection.
    this.#underWay.catch(() => undefined);
    this.#position += this.#fill;
    this.#fill = 0;
    this.#buffer = this.#spare;
    this.#spare = full;
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}
