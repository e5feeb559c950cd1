import { once } from 'node:events';
import type { Http2Stream } from 'node:http2';
import { GRPC, GrpcError } from './grpc-status.ts';

const HEADER_BYTES = 5;
const MAX_LOOSE = 256;

/** One message as it goes over the wire: not compressed, its length, itself. */
export function frameOf(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, HEADER_BYTES);
  return frame;
}

/**
 * The messages that a peer sends, as they come. A message lies in the memory of what was received: it is good until the next.
 *
 * @throws GrpcError "resource exhausted" for one of more than `maxBytes`, "unimplemented" for a compressed one, "internal" for half of one.
 */
export async function* readMessages(
  stream: Http2Stream,
  { maxBytes }: { maxBytes: number },
): AsyncGenerator<Uint8Array> {
  const held: Uint8Array[] = [];
  let heldBytes = 0;
  let wanted = HEADER_BYTES;
  let isHeader = true;
  let loose = 0;
  // Whoever has read enough still answers on it.
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes < wanted) {
      // A peer may send its bytes one by one: each piece takes more memory than what is in it.
      if (++loose === MAX_LOOSE) held.push(Buffer.concat(held.splice(-MAX_LOOSE)));
      if (loose === MAX_LOOSE) loose = 0;
      continue;
    }
    loose = 0;
    const bytes = held.length === 1 ? chunk : Buffer.concat(held);
    held.length = 0;
    let at = 0;
    while (bytes.length - at >= wanted) {
      const part = bytes.subarray(at, at + wanted);
      at += wanted;
      if (!isHeader) yield part;
      isHeader = !isHeader;
      wanted = isHeader ? HEADER_BYTES : lengthOf(part, maxBytes);
    }
    if (at < bytes.length) held.push(bytes.subarray(at));
    heldBytes = bytes.length - at;
  }
  if (heldBytes > 0 || !isHeader) throw new GrpcError(GRPC.internal, 'a message was cut short');
}

function lengthOf(header: Uint8Array, maxBytes: number): number {
  if (header[0] !== 0) throw new GrpcError(GRPC.unimplemented, 'compressed messages are not understood');
  const length = new DataView(header.buffer, header.byteOffset).getUint32(1);
  if (length > maxBytes)
    throw new GrpcError(
      GRPC.resourceExhausted,
      `received message larger than max (${length} vs. ${maxBytes})`,
    );
  return length;
}

/** Send a message. Resolves when there is room for another. @throws when the stream has ended. */
export async function writeMessage(stream: Http2Stream, message: Uint8Array): Promise<void> {
  if (stream.destroyed || stream.closed) throw new GrpcError(GRPC.canceled, 'the call has ended');
  if (stream.write(frameOf(message))) return;
  const ended = new AbortController();
  const onClose = (): void => ended.abort(new GrpcError(GRPC.canceled, 'the call has ended'));
  stream.once('close', onClose);
  try {
    await once(stream, 'drain', { signal: ended.signal });
  } catch (error) {
    throw ended.signal.aborted ? ended.signal.reason : error;
  } finally {
    stream.off('close', onClose);
  }
}
