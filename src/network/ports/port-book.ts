import { keyOf, type PortHolding, type PublishedPort } from './published-ports.ts';

const ANY = new Set(['0.0.0.0', '::']);

/** Which ports are ours. Decides, and does nothing to the host. */
export class PortBook {
  readonly #holdings = new Map<string, PortHolding>();
  /** The port after the one that was given last, by protocol: what was freed isn't given again at once. */
  readonly #next = new Map<string, number>();

  /** Who stands in the way of it. */
  conflict({ protocol, hostAddress, hostPort }: PublishedPort): PortHolding | undefined {
    return this.all().find(
      (held) =>
        held.hostPort === hostPort &&
        held.protocol === protocol &&
        held.hostAddress.includes(':') === hostAddress.includes(':') &&
        (held.hostAddress === hostAddress || ANY.has(held.hostAddress) || ANY.has(hostAddress)),
    );
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
    this.#holdings.set(keyOf(holding), holding);
  }

  /** Takes away what a container has. @returns it. */
  drop(containerId: string): PortHolding[] {
    const own = this.of(containerId);
    for (const holding of own) this.#holdings.delete(keyOf(holding));
    return own;
  }

  of(containerId: string): PortHolding[] {
    return this.all().filter((holding) => holding.containerId === containerId);
  }

  all(): PortHolding[] {
    return [...this.#holdings.values()];
  }
}
