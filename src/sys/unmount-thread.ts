import { deserializeError, EngineError } from '../errors/engine-error.ts';
import type { UnmountReply, UnmountRequest } from './unmount-worker.ts';

const idleMs = 5000;

interface Waiting {
  resolve: (mounted: boolean) => void;
  reject: (error: Error) => void;
}

/**
 * Unmounts in a thread of its own: taking an overlay away syncs its whole upper file system, which can take as long as the disk likes.
 * The thread is there while it is needed and a little longer.
 */
export class UnmountThread {
  #worker: Worker | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #last = 0;
  readonly #waiting = new Map<number, Waiting>();

  /** As `unmountIfMounted(target, { detach: true })`. @throws EngineError "internal" code syscall-failed. */
  unmount(target: string): Promise<boolean> {
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    const request: UnmountRequest = { id: ++this.#last, target };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      worker.postMessage(request);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./unmount-worker.ts', import.meta.url));
    worker.onmessage = ({ data }: MessageEvent<UnmountReply>) => this.#answer(data);
    worker.onerror = ({ message }) => this.#fail(message);
    return worker;
  }

  #answer({ id, mounted, error }: UnmountReply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(mounted);
    else waiting?.reject(deserializeError(error));
    if (this.#waiting.size > 0) return;
    this.#idle = setTimeout(() => this.#stop(), idleMs);
    this.#idle.unref();
    this.#worker?.unref();
  }

  #stop(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  #fail(message: string): void {
    const error = new EngineError('internal', `Cannot unmount: the thread for it failed: ${message}`);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#stop();
  }
}
