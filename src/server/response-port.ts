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

/** A connection that the HTTP server has let go of: the answer, unless it is hijacked, is its last. */
export function socketPort(socket: Duplex, upgrade: string | undefined): ResponsePort {
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
