import { EngineError } from '../../errors/engine-error.ts';
import { nowNano } from '../../sys/clock.ts';
import { BuildJob } from './build-job.ts';

/** A call about a build may come before the one that begins it. */
const WAIT_MS = 5_000;
/** Ended builds that can still be asked about: a client may ask for the progress of one that is over. */
const MAX_ENDED = 100;

/** The builds of the last while, by the names that clients gave them. */
export class BuildJobs {
  readonly #jobs = new Map<string, BuildJob>();
  #waiting: { ref: string; resolve: (job: BuildJob) => void }[] = [];

  /** @throws EngineError "invalid" without a name, "conflict" for one that is taken. */
  begin(ref: string, { isInternal = false } = {}): BuildJob {
    if (ref === '') throw new EngineError('invalid', 'Cannot begin a build: it has no ref');
    if (this.#jobs.has(ref)) throw new EngineError('conflict', `job ID ${ref} exists`);
    const job = new BuildJob(ref, { isInternal, nowNano: nowNano() });
    this.#jobs.set(ref, job);
    for (const waiter of this.#waiting.filter((one) => one.ref === ref)) waiter.resolve(job);
    void job.ended.then(() => this.#forgetOldest());
    return job;
  }

  /** In the order in which they began. */
  list(): BuildJob[] {
    return [...this.#jobs.values()];
  }

  find(ref: string): BuildJob | undefined {
    return this.#jobs.get(ref);
  }

  forget(ref: string): void {
    this.#jobs.delete(ref);
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

  #forgetOldest(): void {
    const ended = this.list().filter(({ endedNano }) => endedNano !== undefined);
    for (const job of ended.slice(0, Math.max(0, ended.length - MAX_ENDED))) this.#jobs.delete(job.ref);
  }
}
