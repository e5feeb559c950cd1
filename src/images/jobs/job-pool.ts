import { availableParallelism } from 'node:os';
import { type Logger, silentLogger } from '../../errors/logger.ts';
import { JobThread } from './job-thread.ts';

const IDLE_MS = 10_000;
/** A thread costs more to start than so many bytes cost to work through. */
const SHARE_BYTES = 8 << 20;

export interface JobOptions<Progress> {
  signal: AbortSignal;
  /** The job had to wait for its turn. */
  waiting: () => void;
  progress: (progress: Progress) => void;
}

export interface JobPoolOptions<Job> {
  makeWorker: () => Worker;
  sizeOf: (job: Job) => number;
  /** Jobs at a time. */
  jobs: number;
  /** Threads at most. Default: one more than there are processors, but no more than jobs. */
  threads?: number;
  /** Where the threads' warnings go. */
  logger?: Logger | undefined;
}

/** Runs jobs in worker threads, which are made when needed and kept for ten idle seconds. Small jobs share one; those that find no room wait in order of arrival. */
export class JobPool<Job, Progress, Result> {
  readonly jobs: number;
  readonly #options: JobPoolOptions<Job>;
  readonly #threads: number;
  readonly #queue: (() => void)[] = [];
  #workers: JobThread<Job, Progress, Result>[] = [];
  #idleTimer: NodeJS.Timeout | undefined;
  #busy = 0;

  constructor(options: JobPoolOptions<Job>) {
    this.#options = options;
    this.jobs = options.jobs;
    this.#threads = options.threads ?? Math.min(options.jobs, availableParallelism() + 1);
  }

  /** Jobs will come soon: get ready for the first. */
  prepare(): void {
    clearTimeout(this.#idleTimer);
    if (!this.#workers.some(({ usable }) => usable)) this.#addThread();
    this.#letIdle();
  }

  /** @throws as the job; `signal.reason` once aborted. */
  async run(job: Job, options: JobOptions<Progress>): Promise<Result> {
    await this.#turn(options);
    clearTimeout(this.#idleTimer);
    try {
      options.signal.throwIfAborted();
      const sizeBytes = this.#options.sizeOf(job);
      return await this.#thread(sizeBytes).run(job, { ...options, sizeBytes });
    } finally {
      this.#busy--;
      this.#queue.shift()?.();
      this.#workers = this.#workers.filter(({ usable }) => usable);
      this.#letIdle();
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#idleTimer);
    for (const worker of this.#workers.splice(0)) worker.terminate();
  }

  async #turn({ signal, waiting }: JobOptions<Progress>): Promise<void> {
    signal.throwIfAborted();
    if (this.#busy < this.jobs) {
      this.#busy++;
      return;
    }
    waiting();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const go = (): void => {
      this.#busy++;
      signal.removeEventListener('abort', giveUp);
      resolve();
    };
    const giveUp = (): void => {
      const index = this.#queue.indexOf(go);
      if (index >= 0) this.#queue.splice(index, 1);
      reject(signal.reason);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    this.#queue.push(go);
    await promise;
  }

  /** The least loaded thread, or a new one where that is worth it. */
  #thread(sizeBytes: number): JobThread<Job, Progress, Result> {
    const usable = this.#workers.filter((worker) => worker.usable);
    const [least] = usable.sort((a, b) => a.loadBytes - b.loadBytes);
    const fits = least !== undefined && (least.idle || least.loadBytes + sizeBytes <= SHARE_BYTES);
    if (least !== undefined && (fits || usable.length >= this.#threads)) return least;
    return this.#addThread();
  }

  #addThread(): JobThread<Job, Progress, Result> {
    const made = new JobThread<Job, Progress, Result>(
      this.#options.makeWorker(),
      this.#options.logger ?? silentLogger,
    );
    this.#workers.push(made);
    return made;
  }

  #letIdle(): void {
    if (this.#busy > 0) return;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => void this.close(), IDLE_MS);
    this.#idleTimer.unref();
  }
}
