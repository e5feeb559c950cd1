import { type PortHolder, PortTaken } from '../port-holder.ts';
import { keyOf, type PortHolding } from '../published-ports.ts';

/** Holds ports in memory; those of `foreign` belong to somebody else. */
export class FakePortHolder implements PortHolder {
  /** By port, those that share it. */
  readonly held = new Map<string, PortHolding[]>();
  readonly foreign = new Set<number>();
  #lost: () => void = () => undefined;

  async hold(holdings: readonly PortHolding[]): Promise<void> {
    const taken = holdings.find(({ hostPort }) => this.foreign.has(hostPort));
    if (taken !== undefined)
      throw new PortTaken(taken, { code: 'EADDRINUSE', reason: 'address already in use' });
    for (const holding of holdings)
      this.held.set(keyOf(holding), [...(holding.shared === true ? this.#others(holding) : []), holding]);
  }

  async drop(holdings: readonly PortHolding[]): Promise<void> {
    for (const holding of holdings) {
      const others = this.#others(holding);
      if (others.length === 0) this.held.delete(keyOf(holding));
      else this.held.set(keyOf(holding), others);
    }
  }

  find = () => Promise.resolve([...this.held.values()].flat());

  onLost(listener: () => void): void {
    this.#lost = listener;
  }

  /** As though it was killed. */
  lose(): void {
    this.held.clear();
    this.#lost();
  }

  close = () => Promise.resolve();

  #others(holding: PortHolding): PortHolding[] {
    const members = this.held.get(keyOf(holding)) ?? [];
    return members.filter(({ containerId }) => containerId !== holding.containerId);
  }
}
