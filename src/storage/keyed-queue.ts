/** Runs jobs that name what they work on: those that share a name one after the other in the order of the calls, others side by side. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<void>>();

  /** A job waits for all of its names at once, so that no two jobs wait for each other. Without names it runs at once. */
  async run<T>(keys: readonly string[], job: () => Promise<T>): Promise<T> {
    const names = new Set(keys);
    if (names.size === 0) return await job();
    const before = [...names].map((name) => this.#tails.get(name)).filter((tail) => tail !== undefined);
    const done = Promise.withResolvers<void>();
    for (const name of names) this.#tails.set(name, done.promise);
    try {
      for (const ended of before) await ended;
      return await job();
    } finally {
      for (const name of names) if (this.#tails.get(name) === done.promise) this.#tails.delete(name);
      done.resolve();
    }
  }
}
