import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BytesMessageSchema, SSH } from '../protocol/generated/sshforward_pb.ts';
import type { OpenSession } from './session-store.ts';

const MAX_CONNECTIONS = 64;

/**
 * A socket at `path` whose connections are carried to the agent of that id at the client's, until `close`.
 *
 * @throws EngineError as the client refuses the agent.
 */
export async function forwardAgent(
  session: OpenSession,
  id: string,
  { path, signal }: { path: string; signal: AbortSignal },
): Promise<{ close(): Promise<void> }> {
  await session.client.call(SSH.method.checkAgent, { id }, { signal });
  const ended = new AbortController();
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    carry(socket, session, { id, signal: ended.signal }).catch(() => socket.destroy());
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

async function carry(
  socket: Socket,
  { client }: OpenSession,
  { id, signal }: { id: string; signal: AbortSignal },
): Promise<void> {
  socket.on('error', () => undefined);
  const stream = client.open(SSH.method.forwardAgent, { signal, metadata: { 'buildkit.ssh.id': id } });
  const gone = (): void => stream.close();
  socket.once('close', gone);
  const up = (async () => {
    for await (const data of socket as AsyncIterable<Uint8Array>)
      await stream.send(toBinary(BytesMessageSchema, create(BytesMessageSchema, { data })));
    stream.finish();
  })();
  up.catch(() => stream.close());
  try {
    for await (const message of stream.messages()) {
      const { data } = fromBinary(BytesMessageSchema, message);
      if (!socket.write(data))
        await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve));
    }
    socket.end();
    await up;
  } finally {
    socket.off('close', gone);
    socket.destroy();
    stream.close();
  }
}
