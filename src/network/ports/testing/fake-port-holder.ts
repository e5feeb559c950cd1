import { type PortHolder, PortTaken } from '../port-holder.ts';
import { keyOf, type PortHolding } from '../published-ports.ts';

/** Holds ports in memory; those of `foreign` belong to somebody else. */
export class FakePortHolder implements PortHolder {
  readonly held = new Map<string, PortHolding>();
  readonly foreign = new Set<number>();
  #lost: () => void = () => undefined;

  async hold(holdings: readonly PortHolding[]): Promise<void> {
    const taken = holdings.find(({ hostPort }) => this.foreign.has(hostPort));
    if (taken !== undefined)
      throw new PortTaken(taken, { code: 'EADDRINUSE', reason: 'address already in use' });
    for (const holding of holdings) this.held.set(keyOf(holding), holding);
  }

  async drop(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.held.delete(key);
  }

  find = () => Promise.resolve([...this.held.values()]);

  onLost(listener: () => void): void {
    this.#lost = listener;
  }

  /** As though it was killed. */
  lose(): void {
    this.held.clear();
    this.#lost();
  }

  close = () => Promise.resolve();
}
