import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../engine-client.ts';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;

/**
 * A connection for as long as this process lives. Sampan's daemon removes what hangs on it when it is lost, also by `kill -9`.
 *
 * It doesn't keep the process alive. A daemon that restarts is connected to again.
 */
export class Lifeline {
  readonly id = randomBytes(32).toString('hex');
  readonly #client: EngineClient;
  readonly #closing = new AbortController();
  #held: Promise<void> | undefined;

  constructor(client: EngineClient) {
    this.#client = client;
  }

  /** Resolves once the daemon has taken it up. */
  hold(): Promise<void> {
    this.#held ??= this.#open().catch((error: unknown) => {
      this.#held = undefined;
      throw error;
    });
    return this.#held;
  }

  /** Let go: what still hangs on it is removed. */
  close(): void {
    this.#closing.abort();
  }

  async #open(): Promise<void> {
    const beats = await this.#client.connection.own('remove containers with their client', () =>
      this.#request(),
    );
    void this.#keep(beats);
  }

  /** Resolves with the first beat, by which the daemon says that it holds. */
  async #request(): Promise<AsyncIterator<Uint8Array>> {
    const { body, unref } = await this.#client.connection.stream('POST', `/lifelines/${this.id}`, {
      signal: this.#closing.signal,
    });
    const beats = body[Symbol.asyncIterator]();
    await beats.next();
    unref?.();
    return beats;
  }

  async #keep(first: AsyncIterator<Uint8Array>): Promise<void> {
    const { signal } = this.#closing;
    let beats: AsyncIterator<Uint8Array> | undefined = first;
    for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      if (beats !== undefined) {
        await ended(beats);
        pauseMs = FIRST_PAUSE_MS;
      }
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      // Refused while the daemon is away: it is asked again.
      beats = await this.#request().catch(() => undefined);
    }
  }
}

/** Resolves when there are no more, for whatever reason. */
async function ended(beats: AsyncIterator<Uint8Array>): Promise<void> {
  try {
    while ((await beats.next()).done !== true);
  } catch {
    // A lost connection is the end that is waited for.
  }
}
