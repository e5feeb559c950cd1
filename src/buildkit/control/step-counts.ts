import type { BuildEvent } from '../../builder/build-progress.ts';

/** How far a build has come, as its history tells. */
export interface StepCounts {
  total: number;
  completed: number;
  cached: number;
  warnings: number;
}

/** Counts the steps of a build by what is told of them, each once. */
export class StepCounter {
  readonly #steps = new Map<string, { isCompleted: boolean; isCached: boolean }>();
  #warnings = 0;

  count(event: BuildEvent): void {
    if (event.type === 'warning') this.#warnings++;
    if (event.type !== 'vertex') return;
    const { digest, completedNano, cached } = event.vertex;
    this.#steps.set(digest, { isCompleted: completedNano !== undefined, isCached: cached });
  }

  get counts(): StepCounts {
    const steps = [...this.#steps.values()];
    return {
      total: steps.length,
      completed: steps.filter(({ isCompleted }) => isCompleted).length,
      cached: steps.filter(({ isCached }) => isCached).length,
      warnings: this.#warnings,
    };
  }
}
