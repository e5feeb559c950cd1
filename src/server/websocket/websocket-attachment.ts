import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import { EngineError } from '../../errors/engine-error.ts';
import type { Attachment } from '../attachment.ts';
import { clientGone, drained } from '../response-stream.ts';
import { socketInput } from '../socket-input.ts';
import { encodeWebSocketFrame, FrameReader, opcodes } from './frame-reader.ts';

/** RFC 6455, 1.3. */
const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const NORMAL = 1000;
const PROTOCOL_ERROR = 1002;

/**
 * A connection that speaks WebSocket, as the pipes of an attached client: what the container says goes out in binary frames, as Docker's
 * do, stdout and stderr alike; whatever data comes in is stdin. A close frame is the client's leaving.
 */
export class WebSocketAttachment implements Attachment {
  readonly #socket: Duplex;
  readonly #gone = new AbortController();
  readonly #wantsStdin: boolean;
  #finished = false;

  /** `signal` ends the client's time early (shutdown). */
  constructor(socket: Duplex, options: { wantsStdin: boolean; signal: AbortSignal }) {
    this.#socket = socket;
    this.#wantsStdin = options.wantsStdin;
    const vanish = (): void => {
      if (!this.#finished) this.#gone.abort(options.signal.aborted ? options.signal.reason : clientGone());
    };
    socket.on('close', vanish);
    options.signal.addEventListener('abort', vanish, { once: true });
    if (socket.destroyed || options.signal.aborted) vanish();
    if (!options.wantsStdin) void this.#drop();
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  get stdin(): AsyncIterable<Uint8Array> {
    return this.#wantsStdin ? this.#readStdin() : nothing();
  }

  write(_stream: 'stdout' | 'stderr', data: Uint8Array): Promise<void> {
    if (this.#socket.destroyed || this.#finished) return Promise.reject(clientGone());
    if (data.length === 0) return Promise.resolve();
    return this.#send(opcodes.binary, data) ? Promise.resolve() : drained(this.#socket);
  }

  finish(): void {
    this.#close(NORMAL);
  }

  #send(opcode: number, data: Uint8Array): boolean {
    return this.#socket.write(encodeWebSocketFrame(opcode, data));
  }

  #close(code: number): void {
    if (this.#finished) return;
    this.#finished = true;
    if (this.#socket.destroyed) return;
    const reason = Buffer.alloc(2);
    reason.writeUInt16BE(code);
    this.#send(opcodes.close, reason);
    this.#socket.end();
    this.#socket.resume();
  }

  async *#readStdin(): AsyncGenerator<Uint8Array> {
    try {
      yield* this.#data();
    } finally {
      // The container takes no more; pings and the client's going still count.
      void this.#drop();
    }
  }

  async #drop(): Promise<void> {
    try {
      for await (const _ of this.#data());
    } catch {
      // Gone: `signal` tells.
    }
  }

  async *#data(): AsyncGenerator<Uint8Array> {
    for await (const chunk of socketInput(this.#socket)) {
      for (const part of this.#parts(chunk)) {
        if (part.kind === 'data') yield part.data;
        else if (part.kind === 'ping' && !this.#finished) this.#send(opcodes.pong, part.data);
        else if (part.kind === 'close') return this.#leave(NORMAL);
      }
    }
    // No close frame came: whoever ends a WebSocket's half is gone.
    if (!this.#finished) this.#leave(NORMAL);
  }

  readonly #reader = new FrameReader();

  *#parts(chunk: Uint8Array): ReturnType<FrameReader['take']> {
    try {
      yield* this.#reader.take(chunk);
    } catch (error) {
      this.#leave(PROTOCOL_ERROR);
      throw error;
    }
  }

  #leave(code: number): void {
    this.#close(code);
    this.#gone.abort(clientGone());
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** The answer to a client's opening. @throws EngineError "invalid" for one that asks for something else. */
export function webSocketHead(headers: IncomingHttpHeaders): string {
  const key = headers['sec-websocket-key'];
  if (headers.upgrade?.toLowerCase() !== 'websocket' || key === undefined)
    throw new EngineError(
      'invalid',
      'this is a WebSocket endpoint: the request must ask for an upgrade to it',
    );
  if (headers['sec-websocket-version'] !== '13')
    throw new EngineError('invalid', 'missing or bad WebSocket version: 13 is spoken here');
  const accept = createHash('sha1').update(`${key}${MAGIC}`).digest('base64');
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    '\r\n',
  ].join('\r\n');
}
