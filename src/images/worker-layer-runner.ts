import { deserializeError, EngineError } from '../errors/engine-error.ts';
import type { StagedLayer } from '../snapshots/snapshotter.ts';
import type { LayerJob } from './layer-job.ts';
import type { LayerRunner, LayerRunOptions } from './layer-runner.ts';
import type { LayerWorkerReply, LayerWorkerRequest } from './layer-worker-protocol.ts';

const CANCEL_GRACE_MS = 1000;
const IDLE_MS = 10_000;

interface Idle {
  worker: Worker;
  timer: NodeJS.Timeout;
}

/** `LayerRunner` over a few worker threads, made when needed and kept for ten idle seconds. */
export class WorkerLayerRunner implements LayerRunner {
  readonly #limit: number;
  readonly #idle: Idle[] = [];
  readonly #queue: (() => void)[] = [];
  #busy = 0;

  /** `limit`: jobs at a time (dockerd's `max-concurrent-downloads`). */
  constructor(limit: number) {
    this.#limit = limit;
  }

  async run(job: LayerJob, options: LayerRunOptions): Promise<StagedLayer> {
    await this.#turn(options);
    try {
      options.signal.throwIfAborted();
      return await this.#runIn(this.#take(), job, options);
    } finally {
      this.#busy--;
      this.#queue.shift()?.();
    }
  }

  async close(): Promise<void> {
    for (const { worker, timer } of this.#idle.splice(0)) {
      clearTimeout(timer);
      worker.terminate();
    }
  }

  async #turn({ signal, waiting }: LayerRunOptions): Promise<void> {
    signal.throwIfAborted();
    if (this.#busy < this.#limit) {
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

  #take(): Worker {
    const idle = this.#idle.pop();
    if (idle === undefined) return new Worker(new URL('./layer-worker.ts', import.meta.url));
    clearTimeout(idle.timer);
    return idle.worker;
  }

  #keep(worker: Worker): void {
    const timer = setTimeout(() => {
      this.#idle.splice(
        this.#idle.findIndex((idle) => idle.worker === worker),
        1,
      );
      worker.terminate();
    }, IDLE_MS);
    timer.unref();
    this.#idle.push({ worker, timer });
  }

  async #runIn(worker: Worker, job: LayerJob, options: LayerRunOptions): Promise<StagedLayer> {
    const { promise, resolve, reject } = Promise.withResolvers<StagedLayer>();
    const { signal } = options;
    let usable = true;
    let grace: NodeJS.Timeout | undefined;
    const cancel = (): void => {
      send(worker, { kind: 'cancel' });
      grace = setTimeout(() => {
        usable = false;
        reject(signal.reason);
      }, CANCEL_GRACE_MS);
    };
    worker.onmessage = ({ data }: MessageEvent<LayerWorkerReply>) => {
      if (data.kind === 'progress') options.progress(data.progress);
      else if (data.kind === 'done') resolve(data.staged);
      else reject(signal.aborted ? signal.reason : deserializeError(data.error));
    };
    worker.onerror = (event) => {
      usable = false;
      reject(new EngineError('internal', `Cannot run layer worker: ${event.message}`));
    };
    signal.addEventListener('abort', cancel, { once: true });
    send(worker, { kind: 'run', job });
    try {
      return await promise;
    } finally {
      clearTimeout(grace);
      signal.removeEventListener('abort', cancel);
      worker.onmessage = null;
      if (usable) this.#keep(worker);
      else worker.terminate();
    }
  }
}

function send(worker: Worker, request: LayerWorkerRequest): void {
  worker.postMessage(request);
}
