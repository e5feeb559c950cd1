/** Undoing of what a bench set up, run in reverse, each step on its own; also when the bench is interrupted. */
export class CleanUp {
  #running: Promise<void> | undefined;
  #steps: { what: string; undo: () => Promise<void> | void }[] = [];

  add(what: string, undo: () => Promise<void> | void): void {
    this.#steps.push({ what, undo });
  }

  /** Once: a second call, as by a signal during the first, waits for the same end. */
  run(): Promise<void> {
    this.#running ??= this.#undoAll();
    return this.#running;
  }

  async #undoAll(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.undo();
      } catch (error) {
        process.stderr.write(`bench: Cannot clean up ${step.what}: ${String(error)}\n`);
      }
    }
  }
}
