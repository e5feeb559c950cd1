import { writeSync } from 'node:fs';
import type { SparseMap } from '../archive/entry.ts';
import { encodePath } from '../archive/path-bytes.ts';
import { errnoCodeOf } from '../errors/engine-error.ts';

/** Puts the archived bytes of a sparse file where they belong. */
export class SparseCursor {
  readonly realSize: number;
  readonly #segments: SparseMap['segments'];
  #index = 0;
  #done = 0;

  constructor(map: SparseMap) {
    this.realSize = map.realSize;
    this.#segments = map.segments;
  }

  write(fd: number, chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      const segment = this.#segments[this.#index];
      if (segment === undefined) return;
      const length = Math.min(segment.length - this.#done, chunk.length - at);
      writeAll(fd, chunk.subarray(at, at + length), segment.offset + this.#done);
      at += length;
      this.#done += length;
      if (this.#done < segment.length) continue;
      this.#index++;
      this.#done = 0;
    }
  }
}

/** `position` null: where the file stands. */
export function writeAll(fd: number, chunk: Uint8Array, position: number | null): void {
  for (let at = 0; at < chunk.length; )
    at += writeSync(fd, chunk, at, chunk.length - at, position === null ? null : position + at);
}

/** What Node's API takes for a symlink's text. */
export function fsTarget(target: string): string | Buffer {
  return target.isWellFormed() ? target : encodePath(target);
}

const EEXIST = 17;

/** Also of errors that have a number only. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Object && 'errno' in error && error.errno === EEXIST) return 'EEXIST';
  return errnoCodeOf(error);
}
