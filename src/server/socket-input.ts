import type { Duplex } from 'node:stream';
import { clientGone } from './response-stream.ts';

const EVENTS = ['readable', 'end', 'close', 'error'] as const;

/**
 * A socket's input, chunk by chunk: ends at the client's half-close, throws once the client is gone, and leaves the socket open when the
 * reader stops. One reader at a time.
 */
export async function* socketInput(socket: Duplex): AsyncGenerator<Buffer> {
  let wake: () => void = () => undefined;
  const onChange = () => wake();
  for (const event of EVENTS) socket.on(event, onChange);
  try {
    for (;;) {
      const chunk = socket.read() as Buffer | null;
      if (chunk !== null) {
        yield chunk;
        continue;
      }
      if (socket.readableEnded) return;
      if (socket.destroyed) throw clientGone();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    for (const event of EVENTS) socket.off(event, onChange);
  }
}

/** Exactly the first `length` bytes of a socket's input, as the body of a request whose connection has left HTTP; the rest stays in the socket. */
export async function* socketBody(socket: Duplex, length: number): AsyncGenerator<Buffer> {
  let rest = length;
  if (rest === 0) return;
  for await (const chunk of socketInput(socket)) {
    if (chunk.length > rest) socket.unshift(chunk.subarray(rest));
    const part = chunk.subarray(0, rest);
    rest -= part.length;
    yield part;
    if (rest === 0) return;
  }
}
