import type { StepMount } from '../plan/build-step.ts';

export type Sharing = Extract<StepMount, { type: 'cache' }>['sharing'];

/** Who has folders of cache mounts: several together, or one alone. And who waits for one. */
export class FolderShares {
  /** By record; one alone: `Infinity`. */
  readonly #holders = new Map<string, number>();
  /** By cache. */
  readonly #waiting = new Map<string, Set<() => void>>();

  isFree(id: string): boolean {
    return !this.#holders.has(id);
  }

  isShared(id: string): boolean {
    return Number.isFinite(this.#holders.get(id));
  }

  /** The caller has seen that it may. */
  enter(id: string, sharing: Sharing): void {
    this.#holders.set(id, sharing === 'shared' ? (this.#holders.get(id) ?? 0) + 1 : Infinity);
  }

  leave(id: string): void {
    const left = this.isShared(id) ? (this.#holders.get(id) ?? 1) - 1 : 0;
    if (left > 0) this.#holders.set(id, left);
    else this.#holders.delete(id);
  }

  /** Wakes those who wait for a folder of the cache, in the order in which they came. */
  tell(cache: string): void {
    for (const wake of this.#waiting.get(cache) ?? []) wake();
  }

  /** Resolves when one of its folders may be free. @throws the signal's reason. */
  async change(cache: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(cache) ?? new Set();
    this.#waiting.set(cache, waiting.add(resolve));
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', abort);
      waiting.delete(resolve);
      if (waiting.size === 0) this.#waiting.delete(cache);
    }
  }
}
