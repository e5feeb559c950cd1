import { descriptorLimit } from './host-facts.ts';

/** A relayed connection costs kilobytes, too: no limit of descriptors makes it more. */
const MAX_RELAYED = 32_768;
/** Containers that can each have a full share. */
const SHARES = 4;

/**
 * Descriptors of what is relayed, so that those of the reservations are never taken by connections, nor one container's connections by
 * another's. Whoever gets some gives them back.
 */
export class RelayBudget {
  readonly #total: number;
  readonly #share: number;
  readonly #taken = new Map<string, number>();
  #sum = 0;

  /** Default: half of what the process may open, a quarter of that for one container. */
  constructor(options: { total?: number; share?: number } = {}) {
    this.#total = options.total ?? Math.min(MAX_RELAYED, Math.floor(descriptorLimit() / 2));
    this.#share = options.share ?? Math.floor(this.#total / SHARES);
  }

  /** All of them or none. @returns whether they may be opened. */
  take(containerId: string, count: number): boolean {
    const taken = (this.#taken.get(containerId) ?? 0) + count;
    if (taken > this.#share || this.#sum + count > this.#total) return false;
    this.#taken.set(containerId, taken);
    this.#sum += count;
    return true;
  }

  give(containerId: string, count: number): void {
    const left = (this.#taken.get(containerId) ?? 0) - count;
    if (left > 0) this.#taken.set(containerId, left);
    else this.#taken.delete(containerId);
    this.#sum -= count;
  }
}
