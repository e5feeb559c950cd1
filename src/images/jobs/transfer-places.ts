import { EngineError } from '../../errors/engine-error.ts';

/** Clients that send at the same time: each has a thread and some megabytes. */
const PLACES = 8;
const SILENCE_MS = 300_000;

export interface PlaceOptions {
  places?: number;
  /** Who has sent nothing for so long gives way, once somebody waits. */
  silenceMs?: number;
  now?: () => number;
}

/** What a client holds while its bytes are worked through. */
export interface Place {
  /** Await something of the client; only the time spent so counts as its silence. */
  waitFor<T>(bytes: Promise<T>): Promise<T>;
  /** Harmless when repeated. */
  leave(): void;
}

interface Holder {
  /** Since when it is waited for; undefined while we have bytes of it. */
  silentSince: number | undefined;
  giveWay: PromiseWithResolvers<never>;
}

/**
 * Places for clients that send archives, taken in order of arrival. A slow client keeps its own for as long as it sends anything; one that has been silent for
 * minutes loses it, but only to somebody who waits.
 */
export class TransferPlaces {
  readonly #places: number;
  readonly #silenceMs: number;
  readonly #now: () => number;
  readonly #holders = new Set<Holder>();
  readonly #queue: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor({ places = PLACES, silenceMs = SILENCE_MS, now = () => performance.now() }: PlaceOptions = {}) {
    this.#places = places;
    this.#silenceMs = silenceMs;
    this.#now = now;
  }

  /** Clients that have no place yet. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** @throws `signal.reason` when aborted before there was room. */
  async take(signal: AbortSignal): Promise<Place> {
    signal.throwIfAborted();
    return this.#holders.size < this.#places ? this.#enter() : await this.#turn(signal);
  }

  /** Holders that have been silent too long make room for those who wait. Runs by itself; here for tests. */
  review(): void {
    let wanted = this.#queue.length;
    const silent = [...this.#holders].filter((holder) => this.#leftMs(holder) <= 0);
    for (const holder of silent.sort((a, b) => (a.silentSince ?? 0) - (b.silentSince ?? 0))) {
      if (wanted-- <= 0) break;
      holder.giveWay.reject(
        new EngineError(
          'unavailable',
          `Cannot receive archive: the client sent nothing for ${this.#silenceMs / 1000} s while others waited`,
          { code: 'client-silent' },
        ),
      );
      this.#leave(holder);
    }
    this.#schedule();
  }

  #turn(signal: AbortSignal): Promise<Place> {
    const { promise, resolve, reject } = Promise.withResolvers<Place>();
    const enter = (): void => {
      signal.removeEventListener('abort', giveUp);
      resolve(this.#enter());
    };
    const giveUp = (): void => {
      this.#queue.splice(this.#queue.indexOf(enter), 1);
      reject(signal.reason);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    this.#queue.push(enter);
    this.#schedule();
    return promise;
  }

  #enter(): Place {
    const holder: Holder = { silentSince: undefined, giveWay: Promise.withResolvers<never>() };
    holder.giveWay.promise.catch(() => undefined);
    this.#holders.add(holder);
    return {
      waitFor: async (bytes) => {
        holder.silentSince = this.#now();
        this.#schedule();
        try {
          return await Promise.race([bytes, holder.giveWay.promise]);
        } finally {
          holder.silentSince = undefined;
        }
      },
      leave: () => this.#leave(holder),
    };
  }

  #leave(holder: Holder): void {
    if (!this.#holders.delete(holder)) return;
    this.#queue.shift()?.();
  }

  #leftMs({ silentSince }: Holder): number {
    return silentSince === undefined ? this.#silenceMs : silentSince + this.#silenceMs - this.#now();
  }

  /** Look again when the first holder could have been silent long enough. */
  #schedule(): void {
    if (this.#queue.length === 0 || this.#timer !== undefined) return;
    const nextMs = Math.min(...[...this.#holders].map((holder) => this.#leftMs(holder)));
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.review();
      },
      Math.max(nextMs, 10),
    );
    this.#timer.unref();
  }
}
