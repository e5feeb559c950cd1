import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex, Writable } from 'node:stream';

/** Where an answer goes: node's response, or a connection that has left HTTP. */
export interface ResponsePort {
  /** Send status line and headers now. */
  head(status: number, headers: Readonly<Record<string, string>>): void;
  /** Takes the body. */
  readonly sink: Writable;
  /** The connection to take over, with the protocol that the client asked for in `Upgrade`. */
  readonly hijack: { socket: Duplex; upgrade: string | undefined } | undefined;
}

export function httpPort(response: ServerResponse): ResponsePort {
  return {
    head: (status, headers) => response.writeHead(status, headers),
    sink: response,
    hijack: undefined,
  };
}

/** How long a client that has been sent everything may keep its half open. */
const LINGER_MS = 10_000;

/**
 * A connection that the HTTP server has let go of: the answer, unless it is hijacked, is its last. Once our half has ended, what the client
 * still sends is dropped, and soon after the connection is closed.
 */
export function socketPort(socket: Duplex, upgrade: string | undefined): ResponsePort {
  socket.once('finish', () => {
    socket.resume();
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
  });
  return {
    head: (status, headers) => {
      const lines = Object.entries({ ...headers, Connection: 'close' }).map(
        ([name, value]) => `${name}: ${value}\r\n`,
      );
      socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`);
    },
    sink: socket,
    hijack: { socket, upgrade },
  };
}
