import { closeSync, fdatasyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import type { TarEntry } from '../../archive/entry.ts';
import type { Extent } from '../../erofs/node.ts';
import { EngineError } from '../../errors/engine-error.ts';

const blockSize = 512;
/** A tar of a few bytes may claim any size: enough for what images hold, and inside what file systems take. */
const maxSideBytes = 2 ** 40;

/**
 * The expanded content of a layer's sparse files, one after the other, as a second data device: EROFS can't point into their packed
 * form in the tar. Its holes stay holes on the disk. Made when the first sparse member comes.
 */
export class SideFile {
  readonly #path: string | undefined;
  #descriptor: number | undefined;
  #size = 0;
  #segments: { offset: number; length: number }[] = [];
  /** The segment that the next byte belongs to. */
  #next = 0;
  #base = 0;

  /** Without a path it only reckons where everything would lie. */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  /** Bytes, 0 when no sparse file came. */
  get size(): number {
    return this.#size;
  }

  /** Begin the file of `entry`: where its content will lie, undefined for an ordinary one. */
  begin(entry: TarEntry): Extent | undefined {
    this.#segments = [];
    this.#next = 0;
    if (entry.sparse === undefined || entry.sparse.realSize === 0) return undefined;
    if (this.#path !== undefined) this.#descriptor ??= openSync(this.#path, 'wx', 0o600);
    this.#base = this.#size;
    this.#size += Math.ceil(entry.sparse.realSize / blockSize) * blockSize;
    if (this.#size > maxSideBytes)
      throw new EngineError('invalid', `Cannot store layer: its sparse files expand to more than 1 TiB`, {
        code: 'size-exceeded',
      });
    this.#segments = entry.sparse.segments.map((segment) => ({ ...segment }));
    return { device: 1, block: this.#base / blockSize };
  }

  /** The next bytes of the member that was begun, as they stand in the tar. */
  data(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      const segment = this.#segments[this.#next];
      if (segment === undefined || this.#descriptor === undefined) return;
      const length = Math.min(segment.length, chunk.length - at);
      const written = writeSync(this.#descriptor, chunk, at, length, this.#base + segment.offset);
      at += written;
      segment.offset += written;
      segment.length -= written;
      if (segment.length === 0) this.#next++;
    }
  }

  finish(): void {
    if (this.#descriptor === undefined) return;
    ftruncateSync(this.#descriptor, this.#size);
    fdatasyncSync(this.#descriptor);
    this.close();
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}
