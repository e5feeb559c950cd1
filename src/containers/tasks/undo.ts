import { messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';

/** Steps to take back when the work they belong to fails: in reverse order, each one tried. */
export class UndoStack {
  readonly #steps: { what: string; undo: () => Promise<void> }[] = [];
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(what: string, undo: () => Promise<void>): void {
    this.#steps.push({ what, undo });
  }

  async unwind(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.undo();
      } catch (error) {
        this.#logger.error(`Cannot ${step.what}`, { error: messageOf(error) });
      }
    }
  }
}
