import { EngineError } from '../../errors/engine-error.ts';
import type { TaskHandle, TaskOutput, TaskStreams } from '../runtime.ts';
import type { FakeContext, FakeFunction } from './fake-programs.ts';

/** Thrown inside a program that a signal has ended. */
class Killed extends Error {
  readonly signal: number;

  constructor(signal: number) {
    super(`killed by signal ${signal}`);
    this.signal = signal;
  }
}

/** One run of a fake program: its streams, its signals, those who listen. */
export class FakeProcess implements FakeContext {
  size = { columns: 80, rows: 24 };
  readonly args: readonly string[];
  readonly #stdin = new ByteQueue();
  readonly #listeners = new Set<FakeStreams>();
  readonly #killed = Promise.withResolvers<never>();
  #trap: ((signal: number) => void) | undefined;

  constructor(args: readonly string[]) {
    this.args = args;
    this.#killed.promise.catch(() => undefined);
  }

  get stdin(): AsyncIterable<Uint8Array> {
    return this.#stdin;
  }

  async run(program: FakeFunction): Promise<number> {
    try {
      return await Promise.race([program(this), this.#killed.promise]);
    } catch (error) {
      if (error instanceof Killed) return 128 + error.signal;
      throw error;
    }
  }

  stdout(data: string | Uint8Array): void {
    this.#say('stdout', data);
  }

  stderr(data: string | Uint8Array): void {
    this.#say('stderr', data);
  }

  trap(handler: (signal: number) => void): void {
    this.#trap = handler;
  }

  untilKilled(): Promise<never> {
    return this.#killed.promise;
  }

  signal(signal: number): void {
    if (this.#trap !== undefined && signal !== 9) this.#trap(signal);
    else this.#killed.reject(new Killed(signal));
  }

  join(handle: TaskHandle): TaskStreams {
    const streams = new FakeStreams(handle, this.#stdin, () => this.#listeners.delete(streams));
    this.#listeners.add(streams);
    return streams;
  }

  /** A process without stdin reads its end. */
  closeStdin(): void {
    this.#stdin.end();
  }

  leave(): void {
    for (const streams of this.#listeners) streams.end();
    this.#listeners.clear();
  }

  #say(stream: 'stdout' | 'stderr', data: string | Uint8Array): void {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data.slice();
    if (bytes.length === 0) return;
    for (const streams of this.#listeners) streams.push({ stream, data: bytes });
  }
}

class FakeStreams implements TaskStreams {
  readonly #handle: TaskHandle;
  readonly #stdin: ByteQueue;
  readonly #left: () => void;
  readonly #queue: TaskOutput[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(handle: TaskHandle, stdin: ByteQueue, left: () => void) {
    this.#handle = handle;
    this.#stdin = stdin;
    this.#left = left;
  }

  push(output: TaskOutput): void {
    this.#queue.push(output);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *output(): AsyncGenerator<TaskOutput, void> {
    for (;;) {
      const next = this.#queue.shift();
      if (next !== undefined) yield next;
      else if (this.#ended) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  async write(data: Uint8Array): Promise<void> {
    if (!this.#handle.stdin || this.#ended) {
      throw new EngineError('conflict', 'Cannot write: the container has no open stdin');
    }
    this.#stdin.push(data.slice());
  }

  async closeStdin(): Promise<void> {
    if (this.#handle.leaveStdinOpen !== true) this.#stdin.end();
  }

  close(): void {
    this.end();
    this.#left();
  }
}

class ByteQueue implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  push(data: Uint8Array): void {
    this.#chunks.push(data);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      const next = this.#chunks.shift();
      if (next !== undefined) yield next;
      else if (this.#ended) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
