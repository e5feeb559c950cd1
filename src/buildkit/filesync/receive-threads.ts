import type { ReceiveReply, ReceiveRequest } from './receive-protocol.ts';

/** Beyond these a thread ends with its transfer. */
const MAX_IDLE = 2;
/** A build's transfers follow each other closely; a daemon at rest has no thread. */
const IDLE_MS = 10_000;

export interface ReceiveListener {
  reply(reply: ReceiveReply): void;
  failed(message: string): void;
}

/** A thread that one transfer has to itself. */
export interface LentThread {
  post(request: ReceiveRequest, transfer?: ArrayBuffer[]): void;
  /** It has ended its transfer, and may be another's. */
  giveBack(): void;
  /** Nobody's any more. */
  terminate(): void;
}

interface Thread {
  worker: Worker;
  listener: ReceiveListener | undefined;
  idle: NodeJS.Timeout | undefined;
}

/** Threads that receive files, kept for a while: to start one takes longer than most transfers. */
export class ReceiveThreads {
  readonly #idle: Thread[] = [];

  lend(listener: ReceiveListener): LentThread {
    const thread = this.#idle.pop() ?? this.#start();
    clearTimeout(thread.idle);
    thread.listener = listener;
    return {
      post: (request, transfer = []) => {
        if (thread.listener === listener) thread.worker.postMessage(request, transfer);
      },
      giveBack: () => this.#keep(thread),
      terminate: () => {
        thread.listener = undefined;
        thread.worker.terminate();
      },
    };
  }

  /** End those that wait. */
  close(): void {
    for (const thread of this.#idle.splice(0)) this.#end(thread);
  }

  #start(): Thread {
    const worker = new Worker(new URL('./receive-worker.ts', import.meta.url));
    const thread: Thread = { worker, listener: undefined, idle: undefined };
    worker.onmessage = ({ data }: MessageEvent<ReceiveReply>) => thread.listener?.reply(data);
    worker.onerror = ({ message }) => {
      const at = this.#idle.indexOf(thread);
      if (at >= 0) this.#idle.splice(at, 1);
      thread.listener?.failed(message);
    };
    return thread;
  }

  #keep(thread: Thread): void {
    thread.listener = undefined;
    if (this.#idle.length >= MAX_IDLE) {
      this.#end(thread);
      return;
    }
    this.#idle.push(thread);
    thread.idle = setTimeout(() => {
      this.#idle.splice(this.#idle.indexOf(thread), 1);
      this.#end(thread);
    }, IDLE_MS);
    thread.idle.unref();
  }

  #end(thread: Thread): void {
    clearTimeout(thread.idle);
    thread.worker.terminate();
  }
}
