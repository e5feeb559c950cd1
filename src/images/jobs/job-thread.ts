import { deserializeError, EngineError } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { JobReply, JobRequest } from './job-protocol.ts';

const CANCEL_GRACE_MS = 1000;

interface Pending<Progress, Result> {
  sizeBytes: number;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
  progress: (progress: Progress) => void;
}

/** One worker thread and the jobs in it; the thread answers with `serveJobs`. */
export class JobThread<Job, Progress, Result> {
  readonly #worker: Worker;
  readonly #logger: Logger;
  readonly #jobs = new Map<number, Pending<Progress, Result>>();
  #nextId = 1;
  /** A thread that failed or doesn't listen gets no further jobs. */
  #retired = false;

  constructor(worker: Worker, logger: Logger) {
    this.#worker = worker;
    this.#logger = logger;
    this.#worker.onmessage = ({ data }: MessageEvent<JobReply<Progress, Result>>) => this.#settle(data);
    this.#worker.onerror = (event) => this.#fail(event.message);
  }

  get usable(): boolean {
    return !this.#retired;
  }

  get idle(): boolean {
    return this.#jobs.size === 0;
  }

  /** Bytes of the jobs under way. */
  get loadBytes(): number {
    return [...this.#jobs.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  async run(
    job: Job,
    options: { sizeBytes: number; signal: AbortSignal; progress: (progress: Progress) => void },
  ): Promise<Result> {
    const { signal, progress, sizeBytes } = options;
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#jobs.set(id, { sizeBytes, resolve, reject, progress });
    let grace: NodeJS.Timeout | undefined;
    const cancel = (): void => {
      this.#send({ kind: 'cancel', id });
      grace = setTimeout(() => this.#giveUp(id, signal.reason), CANCEL_GRACE_MS);
    };
    signal.addEventListener('abort', cancel, { once: true });
    this.#send({ kind: 'run', id, job });
    try {
      return await promise;
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(grace);
      signal.removeEventListener('abort', cancel);
      this.#jobs.delete(id);
      if (this.#retired && this.idle) this.#worker.terminate();
    }
  }

  terminate(): void {
    this.#retired = true;
    this.#worker.terminate();
  }

  #settle(reply: JobReply<Progress, Result>): void {
    if (reply.kind === 'warning') return this.#logger.warn(reply.message, reply.fields);
    const job = this.#jobs.get(reply.id);
    if (reply.kind === 'progress') job?.progress(reply.progress);
    else if (reply.kind === 'done') job?.resolve(reply.result);
    else job?.reject(deserializeError(reply.error));
  }

  /** The thread hangs in this job: leave it, and end the thread with its last other job. */
  #giveUp(id: number, reason: unknown): void {
    this.#retired = true;
    this.#jobs.get(id)?.reject(reason);
  }

  #fail(message: string): void {
    this.#retired = true;
    for (const job of this.#jobs.values())
      job.reject(new EngineError('internal', `Cannot run worker: ${message}`));
  }

  #send(request: JobRequest<Job>): void {
    this.#worker.postMessage(request);
  }
}
