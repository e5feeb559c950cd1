import type { Digest } from '../../oci/digest.ts';

/** Asks the registry what a tag means, while a mirror is asked for the same: its word, if it comes soon enough. */
export class TagCheck {
  readonly #ask: (signal: AbortSignal) => Promise<Digest | undefined>;
  readonly #controller = new AbortController();
  #answer: Promise<Digest | undefined> | undefined;

  /** @param ask Undefined where the registry has nothing to say. */
  constructor(ask: (signal: AbortSignal) => Promise<Digest | undefined>) {
    this.#ask = ask;
  }

  start(): void {
    this.#answer ??= this.#ask(this.#controller.signal).catch(() => undefined);
  }

  /** Waits no longer than `waitMs`, then lets the question go. Undefined: nobody said anything, or it was never asked. */
  async word(waitMs: number): Promise<Digest | undefined> {
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), waitMs);
    try {
      return await Promise.race([this.#answer, late]);
    } finally {
      clearTimeout(timer);
      this.stop();
    }
  }

  stop(): void {
    this.#controller.abort();
  }
}
