/** A step of a piece of work: milliseconds since the work began. */
export interface TimedStep {
  name: string;
  startMs: number;
  endMs: number;
}

/** The steps of one piece of work, as somebody wanted to know them; some go on side by side. */
export class Timeline {
  readonly steps: TimedStep[] = [];
  readonly #begunMs = performance.now();

  async step<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    const startMs = this.#nowMs();
    try {
      return await work();
    } finally {
      this.steps.push({ name, startMs, endMs: this.#nowMs() });
    }
  }

  /** All of it, in the order in which the steps began. */
  end(): { totalMs: number; steps: TimedStep[] } {
    return {
      totalMs: this.#nowMs(),
      steps: this.steps.toSorted((one, other) => one.startMs - other.startMs),
    };
  }

  #nowMs(): number {
    return performance.now() - this.#begunMs;
  }
}

/** The work, and how long it took where that is wanted. */
export function timed<T>(timeline: Timeline | undefined, name: string, work: () => Promise<T>): Promise<T> {
  return timeline === undefined ? work() : timeline.step(name, work);
}
