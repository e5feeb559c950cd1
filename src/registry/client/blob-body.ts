import { EngineError } from '../../errors/engine-error.ts';
import { type ChunkReader, readChunk } from '../transport/response-body.ts';
import { pauseBefore } from '../transport/retry.ts';
import type { RegistryTiming } from '../transport/timing.ts';

/** One connection's share of a blob. */
export interface BlobPart {
  /** Where in the blob the body begins; at or before what was asked for. */
  start: number;
  body: ReadableStream<Uint8Array>;
  /** Between two chunks. */
  stallMs: number;
  /** Let the connection go. */
  cancel(): void;
}

export interface BlobBodyOptions {
  first: BlobPart;
  /** Ask again, from this byte on. */
  reopen(start: number): Promise<BlobPart>;
  /** The blob's size from its descriptor, where known. */
  size: number | undefined;
  timing: RegistryTiming;
  signal: AbortSignal;
}

/** Progress that shows a connection was of use: it clears the count of failures. */
const PROGRESS_BYTES = 64 << 10;
/** A connection that brings little each time must end too. */
const MAX_CONNECTIONS = 500;

/**
 * The blob from `first.start` to its end as one stream. A connection that breaks or stalls is replaced by one that goes on where it
 * stopped; bytes that a server without ranges sends again are dropped. Nothing is read before it is asked for.
 *
 * Errors: "unavailable" code registry-unreachable when no connection helps; "invalid" code size-exceeded or archive-truncated when the blob isn't
 * `size` bytes long; `signal.reason`.
 */
export function blobBody(options: BlobBodyOptions): ReadableStream<Uint8Array> {
  const body = new BlobBody(options);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const chunk = await body.next();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel: () => body.stop(),
    },
    { highWaterMark: 0 },
  );
}

class BlobBody {
  readonly #options: BlobBodyOptions;
  #part: BlobPart;
  #reader: ChunkReader;
  /** Position in the blob of the next byte that the connection brings, and of the next that the consumer gets. */
  #received: number;
  #delivered: number;
  #failures = 0;
  #connections = 1;
  #clearedAt: number;

  constructor(options: BlobBodyOptions) {
    this.#options = options;
    this.#part = options.first;
    this.#reader = options.first.body.getReader();
    this.#received = options.first.start;
    this.#delivered = options.first.start;
    this.#clearedAt = this.#delivered;
  }

  async next(): Promise<Uint8Array | undefined> {
    try {
      for (;;) {
        const chunk = await this.#read();
        if (chunk === undefined) return this.#end();
        const fresh = this.#accept(chunk);
        if (fresh.length > 0) return fresh;
      }
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  stop(): void {
    this.#part.cancel();
  }

  async #read(): Promise<Uint8Array | undefined> {
    for (;;) {
      try {
        const { stallMs } = this.#part;
        return (await readChunk(this.#reader, { stallMs, signal: this.#options.signal })).value;
      } catch (error) {
        await this.#resume(error);
      }
    }
  }

  /** What of `chunk` the consumer hasn't had yet. */
  #accept(chunk: Uint8Array): Uint8Array {
    const skip = Math.min(Math.max(this.#delivered - this.#received, 0), chunk.length);
    this.#received += chunk.length;
    const fresh = skip === 0 ? chunk : chunk.subarray(skip);
    this.#delivered += fresh.length;
    const { size } = this.#options;
    if (size !== undefined && this.#delivered > size)
      throw new EngineError(
        'invalid',
        `Cannot read the blob: the registry sends more than its ${size} bytes`,
        {
          code: 'size-exceeded',
        },
      );
    if (this.#delivered - this.#clearedAt < PROGRESS_BYTES) return fresh;
    this.#clearedAt = this.#delivered;
    this.#failures = 0;
    return fresh;
  }

  #end(): undefined {
    this.stop();
    const { size } = this.#options;
    if (size !== undefined && this.#delivered < size)
      throw new EngineError(
        'invalid',
        `Cannot read the blob: the registry sent ${this.#delivered} of its ${size} bytes`,
        { code: 'archive-truncated' },
      );
    return undefined;
  }

  async #resume(cause: unknown): Promise<void> {
    this.#part.cancel();
    const { timing, signal } = this.#options;
    this.#failures++;
    this.#connections++;
    if (this.#failures >= timing.blobAttempts || this.#connections > MAX_CONNECTIONS) throw cause;
    await pauseBefore(this.#failures, cause, { timing, signal });
    this.#part = await this.#options.reopen(this.#delivered);
    this.#reader = this.#part.body.getReader();
    this.#received = this.#part.start;
  }
}
