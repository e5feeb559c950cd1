import { availableParallelism } from 'node:os';
import type { StagedLayer } from '../snapshots/snapshotter.ts';
import type { LayerJob } from './layer-job.ts';
import type { LayerRunner, LayerRunOptions } from './layer-runner.ts';
import { LayerWorkerHandle } from './layer-worker-handle.ts';

const IDLE_MS = 10_000;
/** A thread costs more to start than so many bytes cost to unpack. */
const SHARE_BYTES = 8 << 20;

/** `LayerRunner` over worker threads, which are made when needed and kept for ten idle seconds. Small layers share one. */
export class WorkerLayerRunner implements LayerRunner {
  readonly #jobs: number;
  readonly #threads: number;
  readonly #queue: (() => void)[] = [];
  #workers: LayerWorkerHandle[] = [];
  #idleTimer: NodeJS.Timeout | undefined;
  #busy = 0;

  /**
   * @param jobs At a time: dockerd's `max-concurrent-downloads`.
   * @param threads At most. Default: one more than there are processors, but no more than jobs.
   */
  constructor(jobs: number, threads: number = Math.min(jobs, availableParallelism() + 1)) {
    this.#jobs = jobs;
    this.#threads = threads;
  }

  prepare(): void {
    clearTimeout(this.#idleTimer);
    if (!this.#workers.some(({ usable }) => usable)) this.#workers.push(new LayerWorkerHandle());
    this.#letIdle();
  }

  async run(job: LayerJob, options: LayerRunOptions): Promise<StagedLayer> {
    await this.#turn(options);
    clearTimeout(this.#idleTimer);
    try {
      options.signal.throwIfAborted();
      return await this.#worker(job.descriptor.size).run(job, options);
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

  async #turn({ signal, waiting }: LayerRunOptions): Promise<void> {
    signal.throwIfAborted();
    if (this.#busy < this.#jobs) {
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
  #worker(sizeBytes: number): LayerWorkerHandle {
    const usable = this.#workers.filter((worker) => worker.usable);
    const [least] = usable.sort((a, b) => a.loadBytes - b.loadBytes);
    const fits = least !== undefined && (least.idle || least.loadBytes + sizeBytes <= SHARE_BYTES);
    if (least !== undefined && (fits || usable.length >= this.#threads)) return least;
    const made = new LayerWorkerHandle();
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
