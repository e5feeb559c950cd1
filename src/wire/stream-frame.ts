import { EngineError } from '../errors/engine-error.ts';

/** Media types of hijacked and log streams. */
export const RAW_STREAM = 'application/vnd.docker.raw-stream';
export const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream';

export type StreamName = 'stdin' | 'stdout' | 'stderr' | 'systemerr';

const NAMES: readonly StreamName[] = ['stdin', 'stdout', 'stderr', 'systemerr'];
export const FRAME_HEADER_BYTES = 8;
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** One frame of a multiplexed stream, in one buffer: stream, three zeros, length in big-endian, then `prefix` (ASCII) and `data`. */
export function encodeFrame(stream: StreamName, data: Uint8Array, prefix = ''): Uint8Array {
  const length = prefix.length + data.length;
  const frame = new Uint8Array(FRAME_HEADER_BYTES + length);
  writeFrameHeader(frame, 0, { stream, length });
  for (let at = 0; at < prefix.length; at++) frame[FRAME_HEADER_BYTES + at] = prefix.charCodeAt(at);
  frame.set(data, FRAME_HEADER_BYTES + prefix.length);
  return frame;
}

/** The eight bytes before `length` bytes of a stream, written at `offset`. */
export function writeFrameHeader(
  target: Uint8Array,
  offset: number,
  { stream, length }: { stream: StreamName; length: number },
): void {
  target[offset] = NAMES.indexOf(stream);
  target.fill(0, offset + 1, offset + 4);
  target[offset + 4] = length >>> 24;
  target[offset + 5] = length >>> 16;
  target[offset + 6] = length >>> 8;
  target[offset + 7] = length;
}

/**
 * Splits a multiplexed stream. Frames are handed on in pieces as they come, so that no frame has to fit in memory; pieces are views of the
 * chunks that were pushed.
 */
export class FrameDecoder {
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  #rest = 0;

  /** @throws EngineError "invalid" on an unknown stream or a length past 64 MiB. */
  *push(chunk: Uint8Array): Generator<{ stream: StreamName; data: Uint8Array }> {
    for (let at = 0; at < chunk.length; ) {
      if (this.#rest === 0) {
        const take = Math.min(FRAME_HEADER_BYTES - this.#headerBytes, chunk.length - at);
        this.#header.set(chunk.subarray(at, at + take), this.#headerBytes);
        this.#headerBytes += take;
        at += take;
        if (this.#headerBytes < FRAME_HEADER_BYTES) return;
        this.#rest = this.#frameLength();
        if (this.#rest === 0) this.#headerBytes = 0;
        continue;
      }
      const data = chunk.subarray(at, at + this.#rest);
      const stream = this.#stream();
      this.#rest -= data.length;
      if (this.#rest === 0) this.#headerBytes = 0;
      at += data.length;
      yield { stream, data };
    }
  }

  /** Whether the stream stands between two frames; at the end of a whole stream it does. */
  get atBoundary(): boolean {
    return this.#headerBytes === 0;
  }

  #stream(): StreamName {
    const name = NAMES[this.#header[0] ?? NAMES.length];
    if (name === undefined) throw new EngineError('invalid', `Unrecognized input header: ${this.#header[0]}`);
    return name;
  }

  #frameLength(): number {
    this.#stream();
    const length = new DataView(this.#header.buffer).getUint32(4);
    if (length > MAX_FRAME_BYTES)
      throw new EngineError('invalid', `Cannot read the stream: a frame of ${length} bytes is too long`);
    return length;
  }
}
