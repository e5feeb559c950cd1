import { type FSWatcher, watch } from 'node:fs';
import { errnoCodeOf } from '../../errors/engine-error.ts';

/** Tells when a file in a folder has grown, also one that is not there yet. Growth between two calls of `next` is not missed. */
export class Growth {
  readonly #watcher: FSWatcher | undefined;
  #pending = true;
  #wake: () => void = () => undefined;
  readonly #onAbort = () => this.wake();
  readonly #signal: AbortSignal;

  constructor(directory: string, signal: AbortSignal) {
    this.#signal = signal;
    this.#watcher = this.#watch(directory);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  wake(): void {
    this.#pending = true;
    this.#wake();
  }

  async next(): Promise<void> {
    while (!this.#pending) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#pending = false;
  }

  close(): void {
    this.#watcher?.close();
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  /** Undefined for a folder that is not there: nothing was ever logged, and only the end is worth waiting for. */
  #watch(directory: string): FSWatcher | undefined {
    try {
      const watcher = watch(directory, () => this.wake());
      watcher.on('error', () => this.wake());
      return watcher;
    } catch (error) {
      if (errnoCodeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
}
