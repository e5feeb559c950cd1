import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const MEMBER_BYTES = 1 << 20;
/** Members that are made at a time: the runtime's threads do it. */
const AT_ONCE = 2;
const compress = promisify<Uint8Array, { level: number }, Buffer>(gzip);

/**
 * gzip beside this thread: each megabyte is a member of its own at the fastest level, several at a time. Cut by size alone, so the same bytes in give the
 * same bytes out, however they come.
 */
export class GzipMembers {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  #buffer = Buffer.allocUnsafeSlow(MEMBER_BYTES);
  #fill = 0;
  #pending: Promise<Buffer>[] = [];
  #isEmpty = true;

  /** `write` is given the members in order, one after the other. */
  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  /** Resolves when more may come; `chunk` is the caller's again. */
  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.subarray(at, at + MEMBER_BYTES - this.#fill);
      this.#buffer.set(taken, this.#fill);
      this.#fill += taken.length;
      at += taken.length;
      if (this.#fill === MEMBER_BYTES) await this.#member();
    }
  }

  async finish(): Promise<void> {
    if (this.#fill > 0 || this.#isEmpty) await this.#member();
    while (this.#pending.length > 0) await this.#drain();
  }

  async #member(): Promise<void> {
    const piece = this.#buffer.subarray(0, this.#fill);
    this.#buffer = Buffer.allocUnsafeSlow(MEMBER_BYTES);
    this.#fill = 0;
    this.#isEmpty = false;
    const made = compress(piece, { level: 1 });
    made.catch(() => undefined);
    this.#pending.push(made);
    if (this.#pending.length >= AT_ONCE) await this.#drain();
  }

  async #drain(): Promise<void> {
    const first = this.#pending.shift();
    if (first !== undefined) await this.#write(await first);
  }
}
