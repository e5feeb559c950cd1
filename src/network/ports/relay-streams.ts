import { connect, createServer, type Socket } from 'node:net';
import type { PortHolding } from './published-ports.ts';
import type { Reservation } from './reservation.ts';

/** Listens, and joins what connects with the container: each direction ends by itself, a failure of one side ends both. */
export async function relayStreams({
  hostAddress,
  hostPort,
  target,
  containerPort,
}: PortHolding): Promise<Reservation> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    const container = connect({ host: target, port: containerPort, allowHalfOpen: true });
    join(client, container, open);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host: hostAddress, port: hostPort, ipv6Only: hostAddress.includes(':') }, resolve);
  await promise;
  server.on('error', () => undefined);
  return {
    close: async () => {
      for (const socket of open) socket.destroy();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}

function join(client: Socket, container: Socket, open: Set<Socket>): void {
  for (const [one, other] of [
    [client, container],
    [container, client],
  ] as const) {
    open.add(one);
    one.setNoDelay(true);
    one.on('error', () => other.destroy());
    one.on('close', () => {
      open.delete(one);
      // What was received before the end is still written.
      if (!other.writableEnded) other.end();
      if (one.errored !== null) other.destroy();
    });
    one.pipe(other);
  }
}
