/** As BuildKit's defaults. */
const MAX_STEP_LOG_BYTES = 2 << 20;
const MAX_STEP_LOG_BYTES_PER_SECOND = 200 << 10;

/**
 * Lets each of a step's two streams through up to a limit, and up to so much for each second that it has run; each time that something is left out it says
 * so. What is left out is read all the same, and counts.
 */
export class LogLimit {
  readonly #write: (stream: 1 | 2, data: Uint8Array) => void;
  readonly #nowMs: () => number;
  readonly #startedMs: number;
  readonly #streams = { 1: { seen: 0, isClipping: false }, 2: { seen: 0, isClipping: false } };

  constructor(
    write: (stream: 1 | 2, data: Uint8Array) => void,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#write = write;
    this.#nowMs = nowMs;
    this.#startedMs = nowMs();
  }

  write(stream: 1 | 2, data: Uint8Array): void {
    const { bytes, reason } = this.#limit();
    const state = this.#streams[stream];
    const left = Math.max(0, bytes - state.seen);
    state.seen += data.length;
    if (data.length <= left) {
      state.isClipping = false;
      this.#write(stream, data);
      return;
    }
    if (left > 0) this.#write(stream, data.subarray(0, left));
    if (state.isClipping) return;
    state.isClipping = true;
    this.#write(stream, new TextEncoder().encode(`\n[output clipped, log limit ${reason} reached]\n`));
  }

  #limit(): { bytes: number; reason: string } {
    const seconds = Math.max(1, Math.ceil((this.#nowMs() - this.#startedMs) / 1000));
    const bySpeed = seconds * MAX_STEP_LOG_BYTES_PER_SECOND;
    return bySpeed < MAX_STEP_LOG_BYTES
      ? { bytes: bySpeed, reason: '200KiB/s' }
      : { bytes: MAX_STEP_LOG_BYTES, reason: '2MiB' };
  }
}
