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

function header(buffer: Uint8Array): { stream: StreamName; left: number } {
  const name = NAMES[buffer[0] ?? 255];
  if (name === undefined) throw new EngineError('invalid', `Unrecognized stream: ${buffer[0]}`);
  return { stream: name, left: new DataView(buffer.buffer, buffer.byteOffset).getUint32(4) };
}
