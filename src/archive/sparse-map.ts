import { hostileArchive, truncatedArchive } from './archive-error.ts';
import type { SparseMap } from './entry.ts';
import { type PaxContext, tooManySegments } from './pax-records.ts';
import { parseNumber } from './tar-header.ts';

const segmentBytes = 24;

/** The map in a GNU 'S' header: four segments, then 21 in each block that follows while `extended`. */
export function parseOldSparseHeader(block: Buffer, at: number, context: PaxContext): OldSparseMap {
  const map: OldSparseMap = {
    realSize: parseNumber(block.subarray(at + 483, at + 495), context.member),
    segments: [],
    extended: block[at + 482] !== 0,
  };
  appendSegments(block.subarray(at + 386, at + 386 + 4 * segmentBytes), map, context);
  return map;
}

export interface OldSparseMap extends SparseMap {
  extended: boolean;
}

export function appendOldSparseBlock(
  block: Buffer,
  at: number,
  { map, context }: { map: OldSparseMap; context: PaxContext },
): void {
  map.extended = block[at + 504] !== 0;
  appendSegments(block.subarray(at, at + 21 * segmentBytes), map, context);
}

function appendSegments(field: Buffer, map: SparseMap, context: PaxContext): void {
  for (let at = 0; at < field.length && field[at] !== 0; at += segmentBytes) {
    if (map.segments.length >= context.limits.sparseSegments) throw tooManySegments(context.member);
    map.segments.push({
      offset: parseNumber(field.subarray(at, at + 12), context.member),
      length: parseNumber(field.subarray(at + 12, at + segmentBytes), context.member),
    });
  }
}

/** Reads the map of GNU sparse 1.0, decimal lines in front of the data, block by block. */
export class SparseMapParser {
  #context: PaxContext;
  #values: number[] = [];
  #current = -1;
  #wanted = 1;

  constructor(context: PaxContext) {
    this.#context = context;
  }

  /** True when the map is complete; what is left of the block is padding. */
  push(block: Uint8Array, at: number, end: number): boolean {
    for (let i = at; i < end; i++) {
      const byte = block[i] ?? 0;
      if (byte === 0x0a) this.#endOfLine();
      else this.#digit(byte);
      if (this.#values.length === this.#wanted) return true;
    }
    return false;
  }

  segments(): SparseMap['segments'] {
    const segments: SparseMap['segments'] = [];
    for (let i = 1; i < this.#values.length; i += 2)
      segments.push({ offset: this.#values[i] ?? 0, length: this.#values[i + 1] ?? 0 });
    return segments;
  }

  #digit(byte: number): void {
    if (byte < 0x30 || byte > 0x39) throw this.#broken();
    this.#current = Math.max(this.#current, 0) * 10 + byte - 0x30;
    if (!Number.isSafeInteger(this.#current)) throw this.#broken();
  }

  #endOfLine(): void {
    if (this.#current === -1) throw this.#broken();
    if (this.#values.length === 0) {
      if (this.#current > this.#context.limits.sparseSegments) throw tooManySegments(this.#context.member);
      this.#wanted = 1 + 2 * this.#current;
    }
    this.#values.push(this.#current);
    this.#current = -1;
  }

  #broken(): Error {
    return hostileArchive(this.#context.member, 'sparse map is no list of numbers');
  }
}

/**
 * Segments in rising order, inside the file, and together exactly the archived bytes.
 *
 * @throws EngineError "invalid" code archive-hostile.
 */
export function checkSparseMap(map: SparseMap, size: number, context: PaxContext): SparseMap {
  const { member, limits } = context;
  if (!(map.realSize >= 0) || map.realSize > limits.fileBytes)
    throw hostileArchive(member, 'sparse size is out of range');
  let end = 0;
  let stored = 0;
  for (const { offset, length } of map.segments) {
    if (length < 0 || offset < end || length > map.realSize - offset)
      throw hostileArchive(member, 'sparse segments overlap or leave the file');
    end = offset + length;
    stored += length;
  }
  if (stored > size) throw truncatedArchive(member, 'sparse map names more data than the member has');
  if (stored < size) throw hostileArchive(member, 'sparse map leaves data of the member unnamed');
  return { realSize: map.realSize, segments: map.segments.filter((segment) => segment.length > 0) };
}
