import { EngineError } from '../../errors/engine-error.ts';
import { nowNano } from '../../sys/clock.ts';
import { BuildJob } from './build-job.ts';

/** A call about a build may come before the one that begins it. */
const WAIT_MS = 5_000;
/** Ended builds that can still be asked about: a client may ask for the progress of one that is over. */
const MAX_ENDED = 100;
/** What is kept of all of them for those who come late: of older ones only how they ended. */
const MAX_KEPT_BYTES = 32 << 20;
/** Changes that wait for a listener who reads slowly. */
const MAX_CHANGES = 1000;

/** What has become of a build. */
export type JobChange = 'begun' | 'ended' | 'forgotten';

/** The builds of the last while, by the names that clients gave them. */
export class BuildJobs {
  readonly #jobs = new Map<string, BuildJob>();
  readonly #listeners = new Set<(job: BuildJob, change: JobChange) => void>();
  #waiting: { ref: string; resolve: (job: BuildJob) => void }[] = [];

  /** @throws EngineError "invalid" without a name, "conflict" for one that is taken. */
  begin(ref: string, { isInternal = false } = {}): BuildJob {
    if (ref === '') throw new EngineError('invalid', 'Cannot begin a build: it has no ref');
    if (this.#jobs.has(ref)) throw new EngineError('conflict', `job ID ${ref} exists`);
    const job = new BuildJob(ref, { isInternal, nowNano: nowNano() });
    this.#jobs.set(ref, job);
    for (const waiter of this.#waiting.filter((one) => one.ref === ref)) waiter.resolve(job);
    this.#tell(job, 'begun');
    void job.ended.then(() => {
      this.#tell(job, 'ended');
      this.#forgetOldest();
    });
    return job;
  }

  /** Every change from the call on, the last one of each build where several wait; to the signal's end. */
  changes(signal: AbortSignal): AsyncGenerator<{ job: BuildJob; change: JobChange }> {
    const waiting = new Map<BuildJob, JobChange>();
    let wake = (): void => undefined;
    const listener = (job: BuildJob, change: JobChange): void => {
      waiting.delete(job);
      waiting.set(job, change);
      const [oldest] = waiting.keys();
      if (waiting.size > MAX_CHANGES && oldest !== undefined) waiting.delete(oldest);
      wake();
    };
    const end = (): void => {
      this.#listeners.delete(listener);
      wake();
    };
    if (!signal.aborted) this.#listeners.add(listener);
    // Also where nobody has begun to read.
    signal.addEventListener('abort', end, { once: true });
    return this.#changes(waiting, {
      signal,
      more: () => new Promise<void>((resolve) => (wake = resolve)),
      end,
    });
  }

  async *#changes(
    waiting: Map<BuildJob, JobChange>,
    { signal, more, end }: { signal: AbortSignal; more: () => Promise<void>; end: () => void },
  ): AsyncGenerator<{ job: BuildJob; change: JobChange }> {
    try {
      while (!signal.aborted) {
        const [next] = waiting;
        if (next === undefined) await more();
        else {
          const [job, change] = next;
          waiting.delete(job);
          yield { job, change };
        }
      }
    } finally {
      end();
    }
  }

  /** In the order in which they began. */
  list(): BuildJob[] {
    return [...this.#jobs.values()];
  }

  find(ref: string): BuildJob | undefined {
    return this.#jobs.get(ref);
  }

  forget(ref: string): void {
    const job = this.#jobs.get(ref);
    if (job === undefined) return;
    this.#jobs.delete(ref);
    this.#tell(job, 'forgotten');
  }

  /** The build of that name, or what becomes it within some seconds. @throws EngineError "not-found"; the signal's reason. */
  async get(ref: string, signal: AbortSignal): Promise<BuildJob> {
    const found = this.#jobs.get(ref);
    if (found !== undefined) return found;
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<BuildJob>();
    const waiter = { ref, resolve };
    const late = setTimeout(() => reject(new EngineError('not-found', `no such job ${ref}`)), WAIT_MS);
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.push(waiter);
    try {
      return await promise;
    } finally {
      clearTimeout(late);
      signal.removeEventListener('abort', onAbort);
      this.#waiting = this.#waiting.filter((one) => one !== waiter);
    }
  }

  #tell(job: BuildJob, change: JobChange): void {
    for (const listener of this.#listeners) listener(job, change);
  }

  #forgetOldest(): void {
    const ended = this.list().filter(({ endedNano }) => endedNano !== undefined);
    for (const job of ended.slice(0, Math.max(0, ended.length - MAX_ENDED))) this.forget(job.ref);
    let keptBytes = 0;
    for (const job of ended.reverse()) {
      keptBytes += job.keptBytes;
      // Whoever has just ended may be asked still, whatever its size.
      if (keptBytes > MAX_KEPT_BYTES && job !== ended[0]) job.forgetEvents();
    }
  }
}
