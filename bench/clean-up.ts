/** Undoing of what a bench set up, run in reverse, each step on its own; also when the bench is interrupted. */
export class CleanUp {
  #steps: { what: string; undo: () => Promise<void> | void }[] = [];

  add(what: string, undo: () => Promise<void> | void): void {
    this.#steps.push({ what, undo });
  }

  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.undo();
      } catch (error) {
        process.stderr.write(`bench: Cannot clean up ${step.what}: ${String(error)}\n`);
      }
    }
  }
}
