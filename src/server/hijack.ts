import type { Duplex } from 'node:stream';
import { encodeFrame, frameHeader, MULTIPLEXED_STREAM, RAW_STREAM } from '../wire/stream-frame.ts';
import { compareApiVersions } from '../wire/versions.ts';
import type { Attachment } from './attachment.ts';
import { clientGone, drained } from './response-stream.ts';
import { socketInput } from './socket-input.ts';

/** From here on a second write costs less than a copy into one buffer with the frame's header. */
const LARGE_BYTES = 32 << 10;

/**
 * A connection taken from HTTP, as the pipes of an attached client.
 *
 * Half-close works both ways: the client's end is stdin's end and nothing more; `finish` ends our half and waits for the client's.
 */
export class HijackedConnection implements Attachment {
  readonly #socket: Duplex;
  readonly #multiplexed: boolean;
  readonly #gone = new AbortController();
  readonly #wantsStdin: boolean;
  #finished = false;

  /** `signal` ends the client's time early (shutdown). */
  constructor(socket: Duplex, options: { multiplexed: boolean; wantsStdin: boolean; signal: AbortSignal }) {
    this.#socket = socket;
    this.#multiplexed = options.multiplexed;
    this.#wantsStdin = options.wantsStdin;
    const vanish = () => {
      if (!this.#finished) this.#gone.abort(options.signal.aborted ? options.signal.reason : clientGone());
    };
    socket.on('close', vanish);
    options.signal.addEventListener('abort', vanish, { once: true });
    if (socket.destroyed || options.signal.aborted) vanish();
    // Unread input would hide the client's going from us.
    if (!options.wantsStdin) socket.resume();
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** Empty for a client that attached no stdin, whatever it sends. */
  get stdin(): AsyncIterable<Uint8Array> {
    return this.#wantsStdin ? this.#readStdin() : nothing();
  }

  write(stream: 'stdout' | 'stderr', data: Uint8Array): Promise<void> {
    if (this.#socket.destroyed || this.#finished) return Promise.reject(clientGone());
    if (data.length === 0) return Promise.resolve();
    let bytes = data;
    if (this.#multiplexed && data.length < LARGE_BYTES) bytes = encodeFrame(stream, data);
    else if (this.#multiplexed) this.#socket.write(frameHeader(stream, data.length));
    return this.#socket.write(bytes) ? Promise.resolve() : drained(this.#socket);
  }

  /** End our half once all is written; a client may read that as slowly as it likes. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    if (!this.#socket.destroyed) this.#socket.end();
  }

  async *#readStdin(): AsyncGenerator<Uint8Array> {
    try {
      yield* socketInput(this.#socket);
    } finally {
      this.#socket.resume();
    }
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

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
