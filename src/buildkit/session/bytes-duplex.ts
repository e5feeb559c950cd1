import { Duplex } from 'node:stream';

/** A connection whose bytes come and go as messages. */
export class BytesDuplex extends Duplex {
  readonly #received: AsyncIterator<{ data: Uint8Array }>;
  readonly #outgoing: { data: Uint8Array; taken: () => void }[] = [];
  #wake: (() => void) | undefined;
  #isEnded = false;

  constructor(received: AsyncIterable<{ data: Uint8Array }>) {
    super({ allowHalfOpen: true });
    this.#received = received[Symbol.asyncIterator]();
    this.once('close', () => this.#end());
  }

  /** What was written, piece by piece, to the end of the writing half. */
  async *sent(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = this.#outgoing.shift();
      if (next !== undefined) {
        yield next.data;
        next.taken();
      } else if (this.#isEnded) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }

  override _read(): void {
    this.#received.next().then(
      ({ done, value }) => this.push(done === true ? null : Buffer.from(value.data)),
      (error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  }

  override _write(chunk: Uint8Array, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#outgoing.push({ data: chunk, taken: () => callback() });
    this.#wake?.call(undefined);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#end();
    callback();
  }

  #end(): void {
    this.#isEnded = true;
    this.#wake?.call(undefined);
  }
}
