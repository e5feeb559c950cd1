import { clientKey } from './client-key.ts';

export interface FailureLimitOptions {
  /** Wrong passwords that one client may give for one name within the window. */
  perName: number;
  /** The same for all names together. */
  perAddress: number;
  windowMs: number;
  /** Verifications at once, waiting ones included: each costs a tenth of a second of one core. */
  atOnce: number;
}

const DEFAULTS: FailureLimitOptions = { perName: 10, perAddress: 100, windowMs: 60_000, atOnce: 64 };
const MAX_KEYS = 10_000;

interface Count {
  failures: number;
  /** Attempts under way: each may be a failure yet. */
  pending: number;
  untilMs: number;
}

/** Bounds how often somebody may be wrong, so that passwords can't be tried out, one after the other or all at once. */
export class FailureLimit {
  readonly #options: FailureLimitOptions;
  readonly #counts = new Map<string, Count>();
  #running = 0;
  #settled = Promise.withResolvers<void>();

  constructor(options: Partial<FailureLimitOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  get retryAfterSeconds(): number {
    return Math.ceil(this.#options.windowMs / 1000);
  }

  /**
   * What `verify` says; undefined: not now. An attempt counts from its beginning and is taken back if it was right: where those under way might use up what is left,
   * the next one waits for them.
   */
  async attempt(address: string, name: string, verify: () => Promise<boolean>): Promise<boolean | undefined> {
    if (this.#running >= this.#options.atOnce) return undefined;
    this.#running++;
    try {
      const counts = await this.#begin(clientKey(address), name);
      return counts === undefined ? undefined : await this.#verify(counts, verify);
    } finally {
      this.#running--;
    }
  }

  /** What the attempt counts in from now on; undefined where there were too many failures. */
  async #begin(client: string, name: string): Promise<Count[] | undefined> {
    for (;;) {
      const limits = [
        { count: this.#count(`${client} ${name.slice(0, 256)}`), limit: this.#options.perName },
        { count: this.#count(client), limit: this.#options.perAddress },
      ];
      if (limits.some(({ count, limit }) => count.failures >= limit)) return undefined;
      if (limits.every(({ count, limit }) => count.failures + count.pending < limit))
        return limits.map(({ count }) => {
          count.pending++;
          return count;
        });
      await this.#settled.promise;
    }
  }

  async #verify(counts: readonly Count[], verify: () => Promise<boolean>): Promise<boolean> {
    try {
      const known = await verify();
      if (!known) for (const count of counts) count.failures++;
      return known;
    } finally {
      for (const count of counts) count.pending--;
      this.#settled.resolve();
      this.#settled = Promise.withResolvers();
    }
  }

  #count(key: string): Count {
    const now = Date.now();
    const known = this.#counts.get(key);
    if (known !== undefined && (known.untilMs > now || known.pending > 0)) return known;
    if (this.#counts.size >= MAX_KEYS) this.#forgetOld(now);
    const fresh = { failures: 0, pending: 0, untilMs: now + this.#options.windowMs };
    this.#counts.set(key, fresh);
    return fresh;
  }

  #forgetOld(now: number): void {
    for (const [key, { untilMs, failures, pending }] of this.#counts)
      if (pending === 0 && (untilMs <= now || failures === 0)) this.#counts.delete(key);
    // Still too many: somebody makes up names. The oldest windows go, a tenth at a time.
    for (const [key, { pending }] of this.#counts) {
      if (this.#counts.size < MAX_KEYS * 0.9) break;
      if (pending === 0) this.#counts.delete(key);
    }
  }
}
