import { connect, type Socket } from 'node:net';
import type { RudeManner } from './plan.ts';

const MALFORMED = [
  'GET\r\n\r\n',
  'GET /_ping HTTP/9.9\r\n\r\n',
  '\0\0\0\0\0\0\0\0\r\n\r\n',
  'POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{"a":',
  'POST /containers/create HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  'POST /images/create?fromImage=%ff%00 HTTP/1.1\r\nHost: d\r\nContent-Length: -1\r\n\r\n',
  `GET /${'a'.repeat(70_000)} HTTP/1.1\r\nHost: d\r\n\r\n`,
  `GET /_ping HTTP/1.1\r\nHost: d\r\nX: ${'b'.repeat(200_000)}\r\n\r\n`,
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense-frames',
] as const;

/** Clients that no engine may be held up by. Each stays as it is until `leave`. */
export class RudeClients {
  readonly #socketPath: string;
  readonly #sockets = new Set<Socket>();
  #count = 0;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  async come(manner: RudeManner, container: string): Promise<void> {
    const socket = connect({ path: this.#socketPath, allowHalfOpen: true });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    this.#sockets.add(socket);
    this.#count++;
    if (manner === 'idle') return;
    if (manner === 'malformed') {
      socket.write(MALFORMED[this.#count % MALFORMED.length] ?? '');
      socket.resume();
      return;
    }
    socket.write(streamRequest(this.#count, container));
    if (manner === 'stop-reading') socket.pause();
    else socket.resume();
    await Bun.sleep(30);
    if (manner === 'vanish') socket.destroy();
    if (manner === 'half-close') socket.end();
  }

  leave(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }
}

/** One of the endpoints that go on for as long as the container does. */
function streamRequest(count: number, container: string): string {
  const head = (method: string, path: string, more = '') =>
    `${method} ${path} HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n${more}\r\n`;
  const requests = [
    head('GET', '/events'),
    head('GET', `/containers/${container}/logs?follow=1&stdout=1&stderr=1`),
    head(
      'POST',
      `/containers/${container}/attach?stream=1&stdout=1&stderr=1`,
      'Connection: Upgrade\r\nUpgrade: tcp\r\n',
    ),
    head('POST', `/containers/${container}/wait`),
  ];
  return requests[count % requests.length] ?? '';
}
