import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';

const MAX_CONNECTIONS = 64;

/**
 * Listen on the Unix socket `path`. Each connection is given to `carry`, whose signal ends with `close`; where it fails the connection is cut.
 *
 * @throws as listen(2).
 */
export async function forwardSocket(
  path: string,
  carry: (socket: Socket, signal: AbortSignal) => Promise<void>,
): Promise<{ close(): Promise<void> }> {
  const ended = new AbortController();
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    carry(socket, ended.signal).catch(() => socket.destroy());
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listening(server, path);
  return {
    async close() {
      ended.abort();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(path, { force: true });
    },
  };
}

async function listening(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
}
