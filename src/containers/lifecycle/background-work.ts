import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';

/** Jobs that go on behind the calls that began them: they fail into the log alone, and `close` waits for all. */
export class BackgroundWork {
  readonly #logger: Logger;
  readonly #jobs = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Aborted by `close`. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  track(job: Promise<void>): void {
    const tracked = job.catch((error: unknown) =>
      this.#logger.error('Work behind a container failed', { error: messageOf(error) }),
    );
    this.#jobs.add(tracked);
    void tracked.finally(() => this.#jobs.delete(tracked));
  }

  /** Ends at once when the daemon is closed. */
  async pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }

  /** Resolves with `work`, or when the daemon is closed and it goes on for nobody. */
  async untilClosed(work: Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const leave = () => resolve();
    this.#closing.signal.addEventListener('abort', leave, { once: true });
    if (this.#closing.signal.aborted) leave();
    try {
      await Promise.race([work, promise]);
    } finally {
      this.#closing.signal.removeEventListener('abort', leave);
    }
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    while (this.#jobs.size > 0) await Promise.all(this.#jobs);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.settled();
  }
}
