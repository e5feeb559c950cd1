import {
  deserializeError,
  EngineError,
  type SerializedError,
  serializeError,
} from '../errors/engine-error.ts';

export interface ThreadRequest<Q> {
  id: number;
  request: Q;
}

export type ThreadReply<A> = { id: number; answer: A } | { id: number; error: SerializedError };

interface Waiting<A> {
  resolve: (answer: A) => void;
  reject: (error: Error) => void;
}

const IDLE_MS = 5000;

/** Calls that may block, in a thread of their own, one after the other. The thread is there while it is needed and a little longer. */
export class RequestThread<Q, A> {
  readonly #program: URL;
  readonly #what: string;
  #worker: Worker | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #last = 0;
  readonly #waiting = new Map<number, Waiting<A>>();

  /** `program` serves by `serveRequests`; `what` it does is for errors: `unmount`. */
  constructor(program: URL, what: string) {
    this.#program = program;
    this.#what = what;
  }

  /** @throws what the thread throws. */
  ask(request: Q): Promise<A> {
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    const message: ThreadRequest<Q> = { id: ++this.#last, request };
    return new Promise((resolve, reject) => {
      this.#waiting.set(message.id, { resolve, reject });
      worker.postMessage(message);
    });
  }

  #start(): Worker {
    const worker = new Worker(this.#program);
    worker.onmessage = ({ data }: MessageEvent<ThreadReply<A>>) => this.#answer(data);
    worker.onerror = ({ message }) => this.#fail(message);
    return worker;
  }

  #answer(reply: ThreadReply<A>): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('error' in reply) waiting?.reject(deserializeError(reply.error));
    else waiting?.resolve(reply.answer);
    if (this.#waiting.size > 0) return;
    this.#idle = setTimeout(() => this.#stop(), IDLE_MS);
    this.#idle.unref();
    this.#worker?.unref();
  }

  #stop(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  #fail(message: string): void {
    const error = new EngineError('internal', `Cannot ${this.#what}: the thread for it failed: ${message}`);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#stop();
  }
}

/** The thread's side. */
export function serveRequests<Q, A>(self: Worker, serve: (request: Q) => A): void {
  self.onmessage = ({ data: { id, request } }: MessageEvent<ThreadRequest<Q>>) => {
    let reply: ThreadReply<A>;
    try {
      reply = { id, answer: serve(request) };
    } catch (error) {
      reply = { id, error: serializeError(error) };
    }
    self.postMessage(reply);
  };
}
