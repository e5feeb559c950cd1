import { keyOf, type PortHolding, shares } from './published-ports.ts';

const ANY = new Set(['0.0.0.0', '::']);

/** Which ports are ours. Decides, and does nothing to the host. */
export class PortBook {
  /** By port and container: a shared port has several. */
  readonly #holdings = new Map<string, PortHolding>();
  /** The port after the one that was given last, by protocol: what was freed isn't given again at once. */
  readonly #next = new Map<string, number>();

  /** Who stands in the way of it. `joins`: who shares the same port does not. */
  conflict(wanted: PortHolding, { joins }: { joins: boolean }): PortHolding | undefined {
    return this.all().find((held) => {
      if (joins && held.containerId !== wanted.containerId && shares(held, wanted)) return false;
      return overlap(held, wanted);
    });
  }

  /** Ports of the ephemeral range, each once, beginning where the last search has ended. */
  *ephemeral(protocol: string, { from, to }: { from: number; to: number }): Generator<number> {
    const count = to - from + 1;
    const first = Math.max(from, this.#next.get(protocol) ?? from);
    for (let at = 0; at < count; at++) {
      const port = from + ((first - from + at) % count);
      this.#next.set(protocol, port + 1);
      yield port;
    }
  }

  put(holding: PortHolding): void {
    this.#holdings.set(bookKeyOf(holding), holding);
  }

  drop(holdings: readonly PortHolding[]): void {
    for (const holding of holdings) this.#holdings.delete(bookKeyOf(holding));
  }

  has(holding: PortHolding): boolean {
    return this.#holdings.has(bookKeyOf(holding));
  }

  of(containerId: string): PortHolding[] {
    return this.all().filter((holding) => holding.containerId === containerId);
  }

  /** All that hold this port. */
  membersOf(port: PortHolding): PortHolding[] {
    const key = keyOf(port);
    return this.all().filter((holding) => keyOf(holding) === key);
  }

  all(): PortHolding[] {
    return [...this.#holdings.values()];
  }
}

/** Whether two can't both have a socket. */
export function overlap(one: PortHolding, other: PortHolding): boolean {
  return (
    one.routed !== true &&
    other.routed !== true &&
    one.hostPort === other.hostPort &&
    one.protocol === other.protocol &&
    one.hostAddress.includes(':') === other.hostAddress.includes(':') &&
    (one.hostAddress === other.hostAddress || ANY.has(one.hostAddress) || ANY.has(other.hostAddress))
  );
}

function bookKeyOf(holding: PortHolding): string {
  return `${keyOf(holding)} ${holding.containerId}`;
}
