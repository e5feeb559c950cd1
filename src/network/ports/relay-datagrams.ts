import { createSocket, type Socket } from 'node:dgram';
import type { PortHolding, PublishedPort } from './published-ports.ts';
import type { RelayBudget } from './relay-budget.ts';
import type { Choice, Reservation } from './reservation.ts';

/** As long as the kernel remembers a flow of datagrams that goes both ways (nf_conntrack_udp_timeout_stream). */
const IDLE_MS = 120_000;
/** Bound of what senders of forged addresses can make us keep. */
const MAX_SENDERS = 1024;

interface Sender {
  socket: Socket;
  /** Whom it speaks to for as long as it is known. */
  member: PortHolding;
  lastMs: number;
}

/** Receives, and passes on from a socket of each sender's, whose answers go back to it. */
export async function relayDatagrams(
  { hostAddress, hostPort }: PublishedPort,
  choose: Choice,
  budget: RelayBudget,
): Promise<Reservation> {
  const front = createSocket(hostAddress.includes(':') ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  front.once('error', reject);
  front.bind({ address: hostAddress, port: hostPort }, resolve);
  await promise;
  front.on('error', () => undefined);
  const senders = new Map<string, Sender>();
  const forget = (key: string): void => {
    const sender = senders.get(key);
    if (sender === undefined) return;
    sender.socket.close();
    senders.delete(key);
    budget.give(sender.member.containerId, 1);
  };
  /** The place of the one that was silent for the longest, where there is no other. */
  const makeRoom = ({ containerId }: PortHolding): boolean => {
    const [oldest] = senders.keys();
    if (oldest !== undefined && senders.size >= MAX_SENDERS) forget(oldest);
    if (budget.take(containerId, 1)) return true;
    const own = [...senders].find(([, { member }]) => member.containerId === containerId)?.[0];
    if (own === undefined) return false;
    forget(own);
    return budget.take(containerId, 1);
  };
  front.on('message', (data, from) => {
    const key = `${from.address} ${from.port}`;
    const known = senders.get(key);
    const member = known?.member ?? choose();
    if (member === undefined || (known === undefined && !makeRoom(member))) return;
    const sender = known ?? { socket: socketTo(member.target), member, lastMs: 0 };
    // The one that was silent for the longest comes first.
    senders.delete(key);
    senders.set(key, { ...sender, lastMs: performance.now() });
    if (known === undefined)
      sender.socket.on('message', (answer) => front.send(answer, from.port, from.address, ignore));
    sender.socket.send(data, member.containerPort, member.target, ignore);
  });
  const sweep = setInterval(() => {
    for (const [key, { lastMs }] of senders) {
      if (performance.now() - lastMs < IDLE_MS) break;
      forget(key);
    }
  }, IDLE_MS / 4);
  return {
    forget: ({ target, containerPort }) => {
      for (const [key, { member }] of senders)
        if (member.target === target && member.containerPort === containerPort) forget(key);
    },
    close: async () => {
      clearInterval(sweep);
      for (const key of senders.keys()) forget(key);
      const closed = Promise.withResolvers<void>();
      front.close(() => closed.resolve());
      await closed.promise;
    },
  };
}

function socketTo(target: string): Socket {
  const socket = createSocket(target.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', ignore);
  return socket;
}

/** A datagram may be lost; whoever needs it sends it again. */
function ignore(): void {}
