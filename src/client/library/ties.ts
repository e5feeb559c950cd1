import { EngineError } from '../../errors/engine-error.ts';
import type { EngineClient } from '../engine-client.ts';
import { Lifeline } from './lifeline.ts';

/** What goes with this process: by a lifeline where the daemon is Sampan's, by hand in `close`. */
export class Ties {
  readonly #lifeline: Lifeline;
  readonly #made = new Set<AsyncDisposable>();

  constructor(client: EngineClient) {
    this.#lifeline = new Lifeline(client);
  }

  /** The lifeline's id, held where the daemon can; else it is a mark by which leftovers are found. */
  async hold(): Promise<string> {
    try {
      await this.#lifeline.hold();
    } catch (error) {
      if (!(error instanceof EngineError) || error.kind !== 'not-implemented') throw error;
    }
    return this.#lifeline.id;
  }

  add(made: AsyncDisposable): void {
    this.#made.add(made);
  }

  /** Remove all that is left, what was made last first. @throws AggregateError with what went wrong. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const made of [...this.#made].reverse())
      try {
        await made[Symbol.asyncDispose]();
      } catch (error) {
        failures.push(error);
      }
    this.#made.clear();
    this.#lifeline.close();
    if (failures.length > 0)
      throw new AggregateError(failures, 'Cannot remove all that goes with this process');
  }
}
