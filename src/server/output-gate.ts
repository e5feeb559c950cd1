import type { BuildEvent } from '../builder/build-progress.ts';

/** What of a build's progress waits in memory for a client that doesn't read. */
const MAX_WAITING_BYTES = 8 << 20;
const CLIPPED = new TextEncoder().encode('\n[output clipped: its reader is too slow]\n');

/** Leaves out what steps print while their reader lags too far behind, and says so once. Everything else passes: a build has only so many steps. */
export class OutputGate {
  readonly #waitingBytes: () => number;
  #isClipping = false;

  /** `waitingBytes`: what the reader has not taken yet. */
  constructor(waitingBytes: () => number) {
    this.#waitingBytes = waitingBytes;
  }

  /** The event, or what is to be told in its place. */
  pass(event: BuildEvent): BuildEvent | undefined {
    if (event.type !== 'log' && event.type !== 'transfer') return event;
    const isLate = this.#waitingBytes() > MAX_WAITING_BYTES;
    // Of a transfer the end says all.
    if (event.type === 'transfer')
      return isLate && event.transfer.completedNano === undefined ? undefined : event;
    if (!isLate) {
      this.#isClipping = false;
      return event;
    }
    if (this.#isClipping) return undefined;
    this.#isClipping = true;
    return { ...event, log: { ...event.log, data: CLIPPED } };
  }
}
