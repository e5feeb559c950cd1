import { connect, createServer, type Socket } from 'node:net';
import { hostPortText, type PublishedPort } from './published-ports.ts';
import type { RelayBudget } from './relay-budget.ts';
import type { Choice, Reservation } from './reservation.ts';

/** Descriptors of one connection: towards the client, and the container. */
const ENDS = 2;

/**
 * Listens, and joins what connects with the container: each direction ends by itself, a failure of one side ends both. What is beyond the
 * budget is refused; silence ends no connection.
 */
export async function relayStreams(
  { hostAddress, hostPort }: PublishedPort,
  choose: Choice,
  budget: RelayBudget,
): Promise<Reservation> {
  /** With where they go to. */
  const open = new Map<Socket, string>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    const member = choose();
    if (member === undefined || !budget.take(member.containerId, ENDS)) {
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    const { containerId, target, containerPort } = member;
    const container = connect({ host: target, port: containerPort, allowHalfOpen: true });
    for (const end of [client, container]) end.on('close', () => budget.give(containerId, 1));
    join(client, container, { open, place: hostPortText(target, containerPort) });
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host: hostAddress, port: hostPort, ipv6Only: hostAddress.includes(':') }, resolve);
  await promise;
  server.on('error', () => undefined);
  return {
    forget: ({ target, containerPort }) => {
      const place = hostPortText(target, containerPort);
      for (const [socket, to] of open) if (to === place) socket.destroy();
    },
    close: async () => {
      for (const socket of open.keys()) socket.destroy();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}

function join(
  client: Socket,
  container: Socket,
  { open, place }: { open: Map<Socket, string>; place: string },
): void {
  for (const [one, other] of [
    [client, container],
    [container, client],
  ] as const) {
    open.set(one, place);
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
