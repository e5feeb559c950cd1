import { createServer, IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { errnoCodeOf } from '../errors/engine-error.ts';
import type { ListenerKind } from './server-options.ts';

const MAX_HEAD_BYTES = 64 * 1024;
const HEAD_TIMEOUT_MS = 60_000;
const REFUSAL_LINGER_MS = 1000;
const RAW_ATTACH =
  /^POST (?:https?:\/\/[^/ ]*)?(?:\/v[0-9.]+)?\/(?:containers\/[^/? ]+\/attach|exec\/[^/? ]+\/start)(?:\?[^ ]*)? HTTP\/1\.[01]\r\n/;
/** BuildKit's protocol, from clients that name it and leave out `Connection: Upgrade`, without which node sees no upgrade. */
const RAW_CALLS =
  /^POST (?:https?:\/\/[^/ ]*)?(?:\/v[0-9.]+)?\/(?:session|grpc)(?:\?[^ ]*)? HTTP\/1\.[01]\r\n/;
/** What a browser's WebSocket may ask for. */
const WEB_SOCKET = /\/containers\/[^/?]+\/attach\/ws(?:\?|$)/;

export interface FrontHandlers {
  request(message: IncomingMessage, response: ServerResponse): void;
  /** The connection has left HTTP: by `Upgrade`, or as an attach or the start of an exec without. */
  upgrade(message: IncomingMessage, socket: Duplex): void;
  /** The client speaks HTTP/2 from the start. */
  http2(socket: Duplex): void;
}

interface Connection extends ListenerKind {
  /** Requests under way. */
  requests: number;
  /** What came behind the current request was no HTTP. */
  broken: boolean;
  /** The last request that came in HTTP. */
  receiving?: IncomingMessage;
  /** Ends a connection whose first head takes too long; our own, as Bun's HTTP server keeps no `headersTimeout`. */
  headTimer: NodeJS.Timeout;
}

/**
 * Looks at a connection's first bytes and hands it on: to HTTP/1, or, for an attach without `Upgrade` header, straight to the hijack, since
 * node's HTTP server would read the client's typing as the next request.
 */
export class SocketFront {
  readonly #http: Server;
  readonly #handlers: FrontHandlers;
  readonly #headTimeoutMs: number;
  readonly #sockets = new Map<Duplex, Connection>();

  /** `headTimeoutMs`: how long a connection may take from its start to the end of its first request's head. */
  constructor(handlers: FrontHandlers, { headTimeoutMs = HEAD_TIMEOUT_MS } = {}) {
    this.#handlers = handlers;
    this.#headTimeoutMs = headTimeoutMs;
    this.#http = createServer({
      // Go's own limit: credentials and filters of many names travel in the head.
      maxHeaderSize: 1 << 20,
      requestTimeout: 0,
      keepAliveTimeout: 0,
      shouldUpgradeCallback: leavesHttp,
    });
    this.#http.on('request', (message, response) => {
      this.#count(message, response);
      handlers.request(message, response);
    });
    this.#http.on('upgrade', (message, socket, head) => this.#upgraded(message, socket, head));
    this.#http.on('clientError', (error, socket) => this.#malformed(socket, error));
  }

  /** Serve a new connection. */
  accept(socket: Socket, kind: ListenerKind): void {
    const headTimer = setTimeout(() => socket.destroy(), this.#headTimeoutMs);
    headTimer.unref();
    this.#sockets.set(socket, { ...kind, requests: 0, broken: false, headTimer });
    socket.on('close', () => {
      clearTimeout(headTimer);
      this.#sockets.delete(socket);
    });
    socket.on('error', () => socket.destroy());
    socket.setNoDelay?.(true);
    this.#look(socket, Buffer.alloc(0));
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** What was said about the listener that a socket came from; the strict kind for one that is gone. */
  kindOf(socket: Duplex): ListenerKind {
    return this.#sockets.get(socket) ?? { guarded: true };
  }

  /** Close the connections that have no request under way. */
  closeIdle(): void {
    for (const [socket, { requests }] of this.#sockets) if (requests === 0) socket.destroy();
  }

  destroyAll(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #look(socket: Socket, seen: Buffer): void {
    const onReadable = () => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      settle();
      const head = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      this.#decide(socket, head);
    };
    const onEnd = () => {
      settle();
      socket.destroy();
    };
    const settle = () => {
      socket.off('readable', onReadable);
      socket.off('end', onEnd);
      socket.off('close', settle);
    };
    socket.on('readable', onReadable);
    socket.on('end', onEnd);
    socket.on('close', settle);
  }

  #decide(socket: Socket, head: Buffer): void {
    if (isHttp2(head)) {
      socket.unshift(head);
      this.#busy(socket);
      this.#handlers.http2(socket);
      return;
    }
    if (!mayBeAttach(head)) {
      this.#toHttp(socket, head);
      return;
    }
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) {
      if (head.length > MAX_HEAD_BYTES) this.#toHttp(socket, head);
      else this.#look(socket, head);
      return;
    }
    const text = head.toString('latin1', 0, end + 2);
    if (!isRaw(text)) {
      this.#toHttp(socket, head);
      return;
    }
    const rest = head.subarray(end + 4);
    if (rest.length > 0) socket.unshift(rest);
    this.#busy(socket);
    this.#handlers.upgrade(rawMessage(socket, text), socket);
  }

  #toHttp(socket: Socket, head: Buffer): void {
    socket.unshift(head);
    this.#http.emit('connection', socket);
  }

  #upgraded(message: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (head.length > 0) socket.unshift(head);
    socket.on('error', () => socket.destroy());
    this.#busy(socket);
    this.#handlers.upgrade(message, socket);
  }

  #count(message: IncomingMessage, response: ServerResponse): void {
    const { socket } = message;
    const entry = this.#busy(socket);
    if (entry === undefined) return;
    entry.receiving = message;
    response.once('close', () => {
      entry.requests--;
      if (entry.broken && entry.requests === 0) socket.destroy();
    });
  }

  /** A client that types behind an attach that stayed in HTTP still gets its output; any other is told that it speaks no HTTP. */
  #malformed(socket: Duplex, error: Error): void {
    const entry = this.#sockets.get(socket);
    // It ended, or went wrong, amid a body: whoever reads that waits for more.
    if (entry?.receiving?.complete === false) socket.destroy();
    else if (entry !== undefined && entry.requests > 0) entry.broken = true;
    else refuse(socket, errnoCodeOf(error) === 'HPE_HEADER_OVERFLOW' ? 431 : 400);
  }

  /** A head has come whole. */
  #busy(socket: Duplex): Connection | undefined {
    const entry = this.#sockets.get(socket);
    if (entry === undefined) return undefined;
    clearTimeout(entry.headTimer);
    entry.requests++;
    return entry;
  }
}

const HTTP2_PREFACE = 'PRI * HTTP/2.0\r\n';

/** From its second byte on no method of HTTP/1 looks like it. */
function isHttp2(head: Buffer): boolean {
  const length = Math.min(HTTP2_PREFACE.length, head.length);
  return length >= 2 && head.toString('latin1', 0, length) === HTTP2_PREFACE.slice(0, length);
}

/** Some HTTP libraries offer h2c with every request; that is no wish to leave HTTP, but where nothing else is spoken. */
function leavesHttp({ headers, url = '' }: IncomingMessage): boolean {
  const wanted = headers.upgrade?.toLowerCase();
  if (wanted === 'websocket') return WEB_SOCKET.test(url);
  return wanted === 'tcp' || (wanted === 'h2c' && /^(?:\/v[0-9.]+)?\/(?:session|grpc)(?:\?|$)/.test(url));
}

/** The head of a request that is to leave HTTP in a way that node's server knows nothing of. */
function isRaw(head: string): boolean {
  if (/\r\nconnection[ \t]*:[^\r]*\bupgrade\b/i.test(head) || !hasPlainBody(head)) return false;
  return RAW_ATTACH.test(head) || (RAW_CALLS.test(head) && /\r\nupgrade[ \t]*:[ \t]*h2c[ \t]*\r/i.test(head));
}

/** Whether more bytes could still make this the head of an attach. */
function mayBeAttach(head: Buffer): boolean {
  return head.toString('latin1', 0, 5) === 'POST '.slice(0, Math.min(5, head.length));
}

function hasHeader(head: string, name: string): boolean {
  return new RegExp(`\\r\\n${name}[ \\t]*:`, 'i').test(head);
}

/** No body, or one of few bytes, as some clients send their options: it is skipped. Any other is left to the HTTP server. */
function hasPlainBody(head: string): boolean {
  const length = /\r\ncontent-length[ \t]*:[ \t]*([^\r]*)/i.exec(head)?.[1]?.trim() ?? '0';
  return /^\d{1,5}$/.test(length) && !hasHeader(head, 'transfer-encoding');
}

/** The head as node's own message, for handlers that only read method, target and headers. */
function rawMessage(socket: Socket, head: string): IncomingMessage {
  const message = new IncomingMessage(socket);
  const [requestLine = '', ...lines] = head.split('\r\n');
  const [method, url] = requestLine.split(' ');
  message.method = method;
  message.url = url;
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) message.headers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
  }
  return message;
}

function refuse(socket: Duplex, status: 400 | 431): void {
  if (socket.destroyed || !socket.writable) return;
  const text = `${status} ${STATUS_CODES[status]}`;
  socket.end(
    `HTTP/1.1 ${text}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${text}`,
  );
  setTimeout(() => socket.destroy(), REFUSAL_LINGER_MS).unref();
}
