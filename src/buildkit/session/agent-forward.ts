import type { Socket } from 'node:net';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { EngineError, kindOf, messageOf } from '../../errors/engine-error.ts';
import { forwardSocket } from '../../sys/forward-socket.ts';
import { BytesMessageSchema, SSH } from '../protocol/generated/sshforward_pb.ts';
import type { OpenSession } from './session-store.ts';

/**
 * A socket at `path` whose connections are carried to the agent of that id at the client's, until `close`.
 *
 * @throws EngineError "not-found" where the client forwards none.
 */
export async function forwardAgent(
  session: OpenSession,
  id: string,
  { path, signal }: { path: string; signal: AbortSignal },
): Promise<{ close(): Promise<void> }> {
  await checkAgent(session, id, signal);
  return await forwardSocket(path, (socket, ended) => carry(socket, session, { id, signal: ended }));
}

/** Clients refuse one that they haven't got in many ways. */
async function checkAgent({ client }: OpenSession, id: string, signal: AbortSignal): Promise<void> {
  try {
    await client.call(SSH.method.checkAgent, { id }, { signal });
  } catch (error) {
    signal.throwIfAborted();
    const isUnknown = kindOf(error) === 'not-implemented';
    const message = isUnknown
      ? `no SSH key ${JSON.stringify(id)} forwarded from the client`
      : messageOf(error);
    throw new EngineError('not-found', message, { cause: error });
  }
}

async function carry(
  socket: Socket,
  { client }: OpenSession,
  { id, signal }: { id: string; signal: AbortSignal },
): Promise<void> {
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
