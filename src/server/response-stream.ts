import type { Writable } from 'node:stream';
import { EngineError } from '../errors/engine-error.ts';
import { stringifyJson } from '../wire/json.ts';

const BATCH_BYTES = 32 * 1024;

/** The body of a streamed answer. What is written in one turn of the event loop leaves as one chunk. */
export class ResponseStream {
  readonly #sink: Writable;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #scheduled = false;
  /** One wait for room serves all who write meanwhile. */
  #room: Promise<void> | undefined;

  constructor(sink: Writable) {
    this.#sink = sink;
    flushHeaders(sink);
  }

  /** Whether the client lags behind: what can be left out should be. */
  get congested(): boolean {
    return this.#sink.writableNeedDrain;
  }

  /** Bytes that the client has not taken yet and that wait in memory. */
  get waitingBytes(): number {
    return this.#batchBytes + this.#sink.writableLength;
  }

  /** Resolves when more may be written; rejects once the client is gone. */
  write(data: Uint8Array | string): Promise<void> {
    if (this.#sink.destroyed) return Promise.reject(clientGone());
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    if (bytes.length === 0) return Promise.resolve();
    this.#batch.push(bytes);
    this.#batchBytes += bytes.length;
    if (this.#batchBytes >= BATCH_BYTES) return this.#flush();
    this.#schedule();
    return Promise.resolve();
  }

  /** One JSON text and a newline; HTML is escaped as Docker does in streams. */
  writeJson(value: unknown): Promise<void> {
    return this.write(`${stringifyJson(value, { escapeHtml: true })}\n`);
  }

  /** Send what is left and end the body. A client that is gone is no error. */
  async end(): Promise<void> {
    await this.#flush().catch(() => undefined);
    if (!this.#sink.destroyed) this.#sink.end();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush().catch(() => undefined);
    });
  }

  #flush(): Promise<void> {
    if (this.#sink.destroyed) return Promise.reject(clientGone());
    if (this.#batchBytes === 0) return Promise.resolve();
    const [first] = this.#batch;
    const alone = this.#batch.length === 1 ? first : undefined;
    const bytes = alone ?? Buffer.concat(this.#batch, this.#batchBytes);
    this.#batch = [];
    this.#batchBytes = 0;
    if (this.#sink.write(bytes)) return Promise.resolve();
    const forget = (): void => void (this.#room = undefined);
    if (this.#room === undefined) {
      this.#room = drained(this.#sink);
      this.#room.then(forget, forget);
    }
    return this.#room;
  }
}

function flushHeaders(sink: Writable): void {
  if ('flushHeaders' in sink && typeof sink.flushHeaders === 'function') sink.flushHeaders();
}

/** Resolves when `stream` has room again; rejects when it closes before. */
export function drained(stream: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    if (stream.destroyed) {
      reject(clientGone());
      return;
    }
    const settle = (act: () => void) => () => {
      stream.off('drain', onDrain);
      stream.off('close', onClose);
      act();
    };
    const onDrain = settle(resolve);
    const onClose = settle(() => reject(clientGone()));
    stream.once('drain', onDrain);
    stream.once('close', onClose);
  });
}

export function clientGone(): EngineError {
  return new EngineError('unavailable', 'the client is gone');
}
