import type { Duplex } from 'node:stream';
import { encodeFrame, MULTIPLEXED_STREAM, RAW_STREAM } from '../wire/stream-frame.ts';
import { compareApiVersions } from '../wire/versions.ts';
import type { Attachment } from './attachment.ts';
import { clientGone, drained } from './response-stream.ts';

/** How long a client may keep its half open after the stream has ended. */
const LINGER_MS = 10_000;

/**
 * A connection taken from HTTP, as the pipes of an attached client.
 *
 * Half-close works both ways: the client's end is stdin's end and nothing more; `finish` ends our half and waits for the client's.
 */
export class HijackedConnection implements Attachment {
  readonly #socket: Duplex;
  readonly #multiplexed: boolean;
  readonly #gone = new AbortController();
  #finished = false;

  constructor(socket: Duplex, options: { multiplexed: boolean; wantsStdin: boolean }) {
    this.#socket = socket;
    this.#multiplexed = options.multiplexed;
    const vanish = () => {
      if (!this.#finished) this.#gone.abort(clientGone());
    };
    socket.on('error', vanish);
    socket.on('close', vanish);
    if (socket.destroyed) vanish();
    // Unread input would hide the client's end from us.
    if (!options.wantsStdin) socket.resume();
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  get stdin(): AsyncIterable<Uint8Array> {
    return readSide(this.#socket, this.#gone.signal);
  }

  write(stream: 'stdout' | 'stderr', data: Uint8Array): Promise<void> {
    if (this.#socket.destroyed || this.#finished) return Promise.reject(clientGone());
    if (data.length === 0) return Promise.resolve();
    const bytes = this.#multiplexed ? encodeFrame(stream, data) : data;
    return this.#socket.write(bytes) ? Promise.resolve() : drained(this.#socket);
  }

  /** End our half once all is written, drop what the client still sends, and close when it ends too, or after ten seconds. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    const socket = this.#socket;
    if (socket.destroyed) return;
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
    socket.end();
    socket.resume();
  }
}

/** The socket's input; ends at the client's half-close, rejects when it vanishes, and leaves the socket open when the reader stops. */
async function* readSide(socket: Duplex, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let wake: () => void = () => undefined;
  const onChange = () => wake();
  for (const event of ['readable', 'end', 'close', 'error']) socket.on(event, onChange);
  try {
    for (;;) {
      const chunk = socket.read() as Uint8Array | null;
      if (chunk !== null) {
        yield chunk;
        continue;
      }
      if (socket.readableEnded) return;
      if (signal.aborted || socket.destroyed) throw signal.reason ?? clientGone();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    for (const event of ['readable', 'end', 'close', 'error']) socket.off(event, onChange);
    if (!socket.destroyed) socket.resume();
  }
}

/** Status line and headers of a hijacked answer. Without `Upgrade` in the request it is a plain 200 and raw by name, whatever follows. */
export function hijackHead(options: { upgrade: string | undefined; tty: boolean; version: string }): string {
  const multiplexed = !options.tty && compareApiVersions(options.version, '1.42') >= 0;
  if (options.upgrade === undefined) return `HTTP/1.1 200 OK\r\nContent-Type: ${RAW_STREAM}\r\n\r\n`;
  return [
    'HTTP/1.1 101 UPGRADED',
    `Content-Type: ${multiplexed ? MULTIPLEXED_STREAM : RAW_STREAM}`,
    'Connection: Upgrade',
    `Upgrade: ${options.upgrade}`,
    '\r\n',
  ].join('\r\n');
}
