import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import { EngineError } from '../errors/engine-error.ts';
import { stringifyJson } from '../wire/json.ts';
import type { Attachment } from './attachment.ts';
import { HijackedConnection, hijackHead } from './hijack.ts';
import type { ResponsePort } from './response-port.ts';
import { ResponseStream } from './response-stream.ts';
import { errorBody, statusOf } from './status.ts';
import { StreamedClient } from './streamed-client.ts';
import { WebSocketAttachment, webSocketHead } from './websocket/websocket-attachment.ts';

export interface HijackOptions {
  tty: boolean;
  wantsStdin: boolean;
  version: string;
  body: AsyncIterable<Uint8Array>;
  signal: AbortSignal;
}

/** The answer to one request. A handler calls one of its methods, once. */
export class ApiResponse {
  readonly #port: ResponsePort;
  readonly #headers: Record<string, string>;
  #started = false;
  #hijacked = false;

  constructor(port: ResponsePort, headers: Readonly<Record<string, string>>) {
    this.#port = port;
    this.#headers = { ...headers };
  }

  /** Whether a status line has been given away: from then on a failure must go into the stream. */
  get started(): boolean {
    return this.#started;
  }

  header(name: string, value: string): void {
    this.#headers[name] = value;
  }

  /** A whole JSON answer with Docker's closing newline. */
  json(status: number, value: unknown): void {
    this.#send(status, 'application/json', `${stringifyJson(value)}\n`);
  }

  text(status: number, body: string): void {
    this.#send(status, 'text/plain; charset=utf-8', body);
  }

  /** An answer without body: 204, 304, and 200 or 201 where Docker sends nothing. */
  empty(status: number): void {
    this.#head(status, status === 204 || status === 304 ? {} : { 'Content-Length': '0' });
    this.#port.sink.end();
  }

  /** The error's status and message; a started answer is cut, since its plain end would look like success. A hijacked one has its own end. */
  error(error: unknown): void {
    if (this.#hijacked) return;
    if (this.#started) {
      this.#port.sink.destroy();
      return;
    }
    const status = statusOf(error);
    if (status === 304) this.empty(304);
    else this.json(status, errorBody(error));
  }

  /** Begin a streamed answer; its headers leave at once. */
  stream(status: number, contentType: string): ResponseStream {
    this.#head(status, { 'Content-Type': contentType });
    return new ResponseStream(this.#port.sink);
  }

  /** Answer an attach: 101 or 200 leaves at once, and the connection becomes the client's pipes. */
  hijack(options: HijackOptions): Attachment {
    const { tty, version, wantsStdin, signal } = options;
    this.#hijacked = true;
    const taken = this.#port.hijack;
    if (taken === undefined) {
      const stream = this.stream(200, 'application/vnd.docker.raw-stream');
      return new StreamedClient(stream, { ...options, multiplexed: !tty });
    }
    this.#started = true;
    taken.socket.write(hijackHead({ upgrade: taken.upgrade, tty, version }));
    return new HijackedConnection(taken.socket, { multiplexed: !tty, wantsStdin, signal });
  }

  /** Leave HTTP for the protocol that the client asked for. @throws EngineError "invalid" when it asked for none of that name. */
  switchProtocol(name: string): Duplex {
    const taken = this.#port.hijack;
    if (taken?.upgrade?.toLowerCase() !== name)
      throw new EngineError('invalid', `no upgrade to ${name} in the request`);
    this.#hijacked = true;
    this.#started = true;
    taken.socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${name}\r\n\r\n`);
    return taken.socket;
  }

  /** The same over WebSocket. @throws EngineError "invalid" where that isn't what the client has asked for. */
  webSocket(headers: IncomingHttpHeaders, options: { wantsStdin: boolean; signal: AbortSignal }): Attachment {
    const head = webSocketHead(headers);
    const taken = this.#port.hijack;
    if (taken === undefined) throw new EngineError('invalid', 'the connection has not left HTTP');
    this.#hijacked = true;
    this.#started = true;
    taken.socket.write(head);
    return new WebSocketAttachment(taken.socket, options);
  }

  #head(status: number, headers: Readonly<Record<string, string>>): void {
    this.#started = true;
    this.#port.head(status, { ...this.#headers, ...headers });
  }

  #send(status: number, contentType: string, body: string): void {
    const bytes = Buffer.from(body);
    this.#head(status, { 'Content-Type': contentType, 'Content-Length': String(bytes.length) });
    this.#port.sink.end(bytes);
  }
}
