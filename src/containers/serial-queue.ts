/** Runs jobs one after the other, in the order of the calls. A failing job fails alone. */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();
  #current: AbortController | undefined;

  /** The job's signal is aborted when others must not wait for it any longer. */
  run<T>(job: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const begin = (): Promise<T> => {
      this.#current = new AbortController();
      return job(this.#current.signal);
    };
    const result = this.#tail.then(begin, begin);
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** As `run`; the jobs before it are given up when they take longer than `patienceMs`. */
  async runSoon<T>(
    job: (signal: AbortSignal) => Promise<T>,
    { patienceMs, reason }: { patienceMs: number; reason: () => Error },
  ): Promise<T> {
    const timer = setInterval(() => this.giveUp(reason()), patienceMs);
    try {
      return await this.run((signal) => {
        clearInterval(timer);
        return job(signal);
      });
    } finally {
      clearInterval(timer);
    }
  }

  /** Abort what is under way. */
  giveUp(reason: Error): void {
    this.#current?.abort(reason);
  }

  /** Resolves when all that was queued so far has ended. */
  async idle(): Promise<void> {
    await this.#tail;
  }
}
