import { errnoName } from '../../sys/errno.ts';
import { SyscallError } from '../../sys/libc.ts';
import { bindSocket, closeSocket, openSocket } from '../../sys/socket.ts';
import type { PortHolding, PublishedPort } from './published-ports.ts';
import type { RelayBudget } from './relay-budget.ts';
import { relayDatagrams } from './relay-datagrams.ts';
import { relayStreams } from './relay-streams.ts';

/** A socket that keeps others from a port, and carries to the container what the kernel has not forwarded before it gets there. */
export interface Reservation {
  /** What goes to it is cut off: it has no part in this port any more. */
  forget(member: PortHolding): void;
  close(): Promise<void>;
}

/** Which container a new connection goes to; undefined: none takes any. */
export type Choice = () => PortHolding | undefined;

/** @throws with errno's name as `code`. */
export async function openReservation(
  port: PortHolding,
  choose: Choice,
  budget: RelayBudget,
): Promise<Reservation> {
  if (port.routed === true) return { forget: () => undefined, close: () => Promise.resolve() };
  switch (port.protocol) {
    case 'tcp':
      return await relayStreams(port, choose, budget);
    case 'udp':
      return await relayDatagrams(port, choose, budget);
    case 'sctp':
      return reserveSctp(port);
  }
}

/** Forwarded by the kernel alone, which need not have the protocol itself for that; it must for a socket. */
function reserveSctp({ hostAddress, hostPort }: PublishedPort): Reservation {
  try {
    const fd = openSocket('sctp', hostAddress.includes(':') ? 6 : 4);
    try {
      bindSocket(fd, { address: hostAddress, port: hostPort });
    } catch (error) {
      closeSocket(fd);
      throw error;
    }
    return { forget: () => undefined, close: async () => closeSocket(fd) };
  } catch (error) {
    if (error instanceof SyscallError)
      throw Object.assign(new Error(error.message), { code: errnoName(error.errno) });
    throw error;
  }
}
