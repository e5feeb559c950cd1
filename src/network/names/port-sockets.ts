import { bindSocket, closeSocket, localPort, openSocket } from '../../sys/socket.ts';
import type { PortReservation } from './port-keeper.ts';

/** The sockets behind reserved ports: bound, and never listened on. SCTP has none, since few kernels have its module loaded. */
export class PortSockets {
  readonly #reserved = new Map<string, { fd: number | undefined; port: number }>();

  reserve({ key, protocol, address, port }: PortReservation): number {
    const known = this.#reserved.get(key);
    if (known !== undefined) return known.port;
    if (protocol === 'sctp') {
      this.#reserved.set(key, { fd: undefined, port });
      return port;
    }
    const fd = openSocket(protocol, address.includes(':') ? 6 : 4);
    try {
      bindSocket(fd, { address, port });
      const bound = localPort(fd);
      this.#reserved.set(key, { fd, port: bound });
      return bound;
    } catch (error) {
      closeSocket(fd);
      throw error;
    }
  }

  release(key: string): void {
    const reserved = this.#reserved.get(key);
    this.#reserved.delete(key);
    if (reserved?.fd !== undefined) closeSocket(reserved.fd);
  }

  adopt(reservations: readonly PortReservation[]): void {
    const wanted = new Set(reservations.map(({ key }) => key));
    for (const key of this.#reserved.keys()) if (!wanted.has(key)) this.release(key);
    for (const reservation of reservations) {
      try {
        this.reserve(reservation);
      } catch {
        // Somebody has it by now; the firewall still leads to the container.
        continue;
      }
    }
  }
}
