/** As BuildKit's default. */
const MAX_STEP_LOG_BYTES = 2 << 20;

/** Lets a step's output through up to a limit, and says once that there was more. What comes after is read and dropped. */
export class LogLimit {
  readonly #write: (stream: 1 | 2, data: Uint8Array) => void;
  #left: number;

  constructor(write: (stream: 1 | 2, data: Uint8Array) => void, limitBytes = MAX_STEP_LOG_BYTES) {
    this.#write = write;
    this.#left = limitBytes;
  }

  write(stream: 1 | 2, data: Uint8Array): void {
    if (this.#left < 0) return;
    if (data.length <= this.#left) {
      this.#left -= data.length;
      this.#write(stream, data);
      return;
    }
    if (this.#left > 0) this.#write(stream, data.subarray(0, this.#left));
    this.#left = -1;
    this.#write(stream, new TextEncoder().encode('\n[output clipped, log limit 2MiB reached]\n'));
  }
}
