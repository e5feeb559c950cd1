import { EngineError } from '../errors/engine-error.ts';
import { concat } from './http1/message-reader.ts';

/** `system` carries the daemon's own error message. */
export type StreamName = 'stdin' | 'stdout' | 'stderr' | 'system';

export interface StreamPart {
  stream: StreamName;
  data: Uint8Array;
}

const NAMES: readonly StreamName[] = ['stdin', 'stdout', 'stderr', 'system'];
const HEADER_BYTES = 8;

/**
 * Take apart the stream of a container without TTY: frames of one byte stream, three zeros, four bytes length, data.
 * Long frames come in parts as they arrive; the frame header bounds nothing in memory.
 *
 * @throws EngineError "invalid" when the bytes are no such stream or end within a frame.
 */
export async function* demultiplex(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<StreamPart, void, undefined> {
  let buffer: Uint8Array = new Uint8Array(0);
  let left = 0;
  let stream: StreamName = 'stdout';
  for await (const chunk of chunks) {
    buffer = buffer.length === 0 ? chunk : concat(buffer, chunk);
    while (buffer.length > 0) {
      if (left === 0) {
        if (buffer.length < HEADER_BYTES) break;
        ({ stream, left } = header(buffer));
        buffer = buffer.subarray(HEADER_BYTES);
        continue;
      }
      const data = buffer.subarray(0, left);
      buffer = buffer.subarray(data.length);
      left -= data.length;
      yield { stream, data };
    }
  }
  if (left > 0 || buffer.length > 0) throw new EngineError('invalid', 'The stream ended within a frame');
}

/**
 * The same for those to whom the frames' borders mean nothing: what a chunk has of one stream in a row comes in one part. The chunks are
 * written over.
 *
 * @throws as `demultiplex`.
 */
export async function* demultiplexJoined(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<StreamPart, void, undefined> {
  let carry: Uint8Array = new Uint8Array(0);
  let left = 0;
  let stream: StreamName = 'stdout';
  for await (const chunk of chunks) {
    const bytes = carry.length === 0 ? chunk : concat(carry, chunk);
    let at = 0;
    /** Where the part that is being put together begins and ends. */
    let from = 0;
    let to = 0;
    for (;;) {
      const take = Math.min(left, bytes.length - at);
      if (to !== at && take > 0) bytes.copyWithin(to, at, at + take);
      to += take;
      at += take;
      left -= take;
      if (left > 0 || bytes.length - at < HEADER_BYTES) break;
      const next = header(bytes, at);
      at += HEADER_BYTES;
      if (next.stream !== stream || to === from) {
        if (to > from) yield { stream, data: bytes.subarray(from, to) };
        from = at;
        to = at;
      }
      ({ stream, left } = next);
    }
    if (to > from) yield { stream, data: bytes.subarray(from, to) };
    carry = bytes.subarray(at);
  }
  if (left > 0 || carry.length > 0) throw new EngineError('invalid', 'The stream ended within a frame');
}

function header(buffer: Uint8Array, at = 0): { stream: StreamName; left: number } {
  const name = NAMES[buffer[at] ?? 255];
  if (name === undefined) throw new EngineError('invalid', `Unrecognized stream: ${buffer[at]}`);
  const byte = (index: number) => buffer[at + index] ?? 0;
  return { stream: name, left: byte(4) * 2 ** 24 + (byte(5) << 16) + (byte(6) << 8) + byte(7) };
}
