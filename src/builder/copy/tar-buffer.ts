import type { OpenContent } from '../sources/file-node.ts';

const BUFFER_BYTES = 1 << 20;

/** Takes the bytes of a layer's tar in big pieces; each is valid until the promise resolves. */
export type TarSink = (piece: Uint8Array) => Promise<void>;

/** Gathers headers and contents, files' bytes read straight into it, so that 20,000 small files are some hundred writes. */
export class TarBuffer {
  readonly #sink: TarSink;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #fill = 0;
  #total = 0;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Bytes taken. */
  get size(): number {
    return this.#total + this.#fill;
  }

  async put(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#fill === BUFFER_BYTES) await this.flush();
      const taken = bytes.subarray(at, at + BUFFER_BYTES - this.#fill);
      this.#buffer.set(taken, this.#fill);
      this.#fill += taken.length;
      at += taken.length;
    }
  }

  async zeros(length: number): Promise<void> {
    for (let left = length; left > 0; ) {
      if (this.#fill === BUFFER_BYTES) await this.flush();
      const taken = Math.min(left, BUFFER_BYTES - this.#fill);
      this.#buffer.fill(0, this.#fill, this.#fill + taken);
      this.#fill += taken;
      left -= taken;
    }
  }

  /** `length` bytes from `start`. @throws what `short` makes where there are fewer. */
  async copy(
    source: OpenContent,
    { start, length, short }: { start: number; length: number; short: () => Error },
  ): Promise<void> {
    for (let done = 0; done < length; ) {
      if (this.#fill === BUFFER_BYTES) await this.flush();
      const wanted = Math.min(length - done, BUFFER_BYTES - this.#fill);
      const count = source.read(this.#buffer, this.#fill, wanted, start + done);
      if (count === 0) throw short();
      this.#fill += count;
      done += count;
    }
  }

  async flush(): Promise<void> {
    if (this.#fill === 0) return;
    this.#total += this.#fill;
    const piece = this.#buffer.subarray(0, this.#fill);
    this.#fill = 0;
    await this.#sink(piece);
  }
}
