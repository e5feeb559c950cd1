import { deserializeError, EngineError } from '../errors/engine-error.ts';
import type { StagedLayer } from '../snapshots/snapshotter.ts';
import type { LayerJob, LayerProgress } from './layer-job.ts';
import type { LayerWorkerReply, LayerWorkerRequest } from './layer-worker-protocol.ts';

const CANCEL_GRACE_MS = 1000;

interface Pending {
  sizeBytes: number;
  resolve: (staged: StagedLayer) => void;
  reject: (error: unknown) => void;
  progress: (progress: LayerProgress) => void;
}

/** One worker thread and the jobs in it. */
export class LayerWorkerHandle {
  readonly #worker = new Worker(new URL('./layer-worker.ts', import.meta.url), { smol: true });
  readonly #jobs = new Map<number, Pending>();
  #nextId = 1;
  /** A thread that failed or doesn't listen gets no further jobs. */
  #retired = false;

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<LayerWorkerReply>) => this.#settle(data);
    this.#worker.onerror = (event) => this.#fail(event.message);
  }

  get usable(): boolean {
    return !this.#retired;
  }

  get idle(): boolean {
    return this.#jobs.size === 0;
  }

  /** Compressed bytes of the jobs under way. */
  get loadBytes(): number {
    return [...this.#jobs.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  async run(
    job: LayerJob,
    { signal, progress }: { signal: AbortSignal; progress: (progress: LayerProgress) => void },
  ): Promise<StagedLayer> {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<StagedLayer>();
    this.#jobs.set(id, { sizeBytes: job.descriptor.size, resolve, reject, progress });
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

  #settle(reply: LayerWorkerReply): void {
    const job = this.#jobs.get(reply.id);
    if (reply.kind === 'progress') job?.progress(reply.progress);
    else if (reply.kind === 'done') job?.resolve(reply.staged);
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
      job.reject(new EngineError('internal', `Cannot run layer worker: ${message}`));
  }

  #send(request: LayerWorkerRequest): void {
    this.#worker.postMessage(request);
  }
}
