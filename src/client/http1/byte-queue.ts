const HIGH_WATER_BYTES = 1 << 20;

/** What a socket's callbacks push, read as an async iterable, with back-pressure. One consumer. */
export class ByteQueue implements AsyncIterable<Uint8Array> {
  readonly #pause: () => void;
  readonly #resume: () => void;
  #chunks: Uint8Array[] = [];
  #size = 0;
  #paused = false;
  #ended = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  constructor(flow: { pause: () => void; resume: () => void }) {
    this.#pause = flow.pause;
    this.#resume = flow.resume;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (!this.#paused && this.#size >= HIGH_WATER_BYTES) {
      this.#paused = true;
      this.#pause();
    }
    this.#signal();
  }

  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#signal();
  }

  #signal(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    while (true) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#size -= chunk.length;
        if (this.#paused && this.#size < HIGH_WATER_BYTES / 2) {
          this.#paused = false;
          this.#resume();
        }
        yield chunk;
        continue;
      }
      if (this.#ended) {
        if (this.#error !== undefined) throw this.#error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
