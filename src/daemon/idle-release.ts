/** How often the process is looked at, and so how long it has to rest at least. */
const TICK_MS = 5000;
/** At rest the daemon uses a tenth of this. */
const RESTING_SHARE = 0.01;
/** Less work than this is not worth another collection, which takes about a quarter of it. */
const WORTH_MS = 100;

/** What the daemon frees when nothing is asked of it. */
export interface IdleReleaseOptions {
  /** CPU time of all threads, in ms. */
  cpuMs: () => number;
  release: () => void;
}

/**
 * Has memory given back once the process has come to rest after work. Rest is told by the CPU time of all its threads, so that nothing
 * which works has to report here.
 */
export class IdleRelease {
  readonly #options: IdleReleaseOptions;
  #lastTickMs: number;
  #releasedAtMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: IdleReleaseOptions) {
    this.#options = options;
    this.#lastTickMs = options.cpuMs();
  }

  start(): void {
    this.#timer = setInterval(() => this.tick(), TICK_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** One look, `TICK_MS` after the last. */
  tick(): void {
    const nowMs = this.#options.cpuMs();
    const resting = nowMs - this.#lastTickMs < TICK_MS * RESTING_SHARE;
    this.#lastTickMs = nowMs;
    if (!resting || nowMs - this.#releasedAtMs < WORTH_MS) return;
    this.#options.release();
    this.#releasedAtMs = this.#lastTickMs = this.#options.cpuMs();
  }
}
