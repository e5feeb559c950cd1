import { errnoName } from '../../sys/errno.ts';
import { SyscallError } from '../../sys/libc.ts';
import { bindSocket, closeSocket, openSocket } from '../../sys/socket.ts';
import type { PortHolding } from './published-ports.ts';
import { relayDatagrams } from './relay-datagrams.ts';
import { relayStreams } from './relay-streams.ts';

/** A socket that keeps others from a port, and carries to the container what the kernel has not forwarded before it gets there. */
export interface Reservation {
  close(): Promise<void>;
}

/** @throws with errno's name as `code`. */
export async function openReservation(holding: PortHolding): Promise<Reservation> {
  switch (holding.protocol) {
    case 'tcp':
      return await relayStreams(holding);
    case 'udp':
      return await relayDatagrams(holding);
    case 'sctp':
      return reserveSctp(holding);
  }
}

/** Forwarded by the kernel alone, which need not have the protocol itself for that; it must for a socket. */
function reserveSctp({ hostAddress, hostPort }: PortHolding): Reservation {
  try {
    const fd = openSocket('sctp', hostAddress.includes(':') ? 6 : 4);
    try {
      bindSocket(fd, { address: hostAddress, port: hostPort });
    } catch (error) {
      closeSocket(fd);
      throw error;
    }
    return { close: async () => closeSocket(fd) };
  } catch (error) {
    if (error instanceof SyscallError)
      throw Object.assign(new Error(error.message), { code: errnoName(error.errno) });
    throw error;
  }
}
