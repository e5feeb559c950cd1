export interface FailureLimitOptions {
  /** Wrong passwords that one address may give for one name within the window. */
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
  untilMs: number;
}

/** Bounds how often somebody may be wrong, so that passwords can't be tried out. */
export class FailureLimit {
  readonly #options: FailureLimitOptions;
  readonly #counts = new Map<string, Count>();
  #running = 0;

  constructor(options: Partial<FailureLimitOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  get retryAfterSeconds(): number {
    return Math.ceil(this.#options.windowMs / 1000);
  }

  /** Undefined: not now. */
  begin(address: string, name: string): { settle(outcome: Promise<boolean>): Promise<boolean> } | undefined {
    const limits = [
      { key: `${address} ${name.slice(0, 256)}`, limit: this.#options.perName },
      { key: address, limit: this.#options.perAddress },
    ];
    if (this.#running >= this.#options.atOnce) return undefined;
    if (limits.some(({ key, limit }) => this.#count(key).failures >= limit)) return undefined;
    this.#running++;
    const settle = async (outcome: Promise<boolean>) => {
      try {
        const known = await outcome;
        if (!known) for (const { key } of limits) this.#count(key).failures++;
        return known;
      } finally {
        this.#running--;
      }
    };
    return { settle };
  }

  #count(key: string): Count {
    const now = Date.now();
    const known = this.#counts.get(key);
    if (known !== undefined && known.untilMs > now) return known;
    if (this.#counts.size >= MAX_KEYS) this.#forgetOld(now);
    const fresh = { failures: 0, untilMs: now + this.#options.windowMs };
    this.#counts.set(key, fresh);
    return fresh;
  }

  #forgetOld(now: number): void {
    for (const [key, { untilMs, failures }] of this.#counts)
      if (untilMs <= now || failures <= 0) this.#counts.delete(key);
    // Still too many: somebody makes up names. The oldest windows go, a tenth at a time.
    for (const key of this.#counts.keys()) {
      if (this.#counts.size < MAX_KEYS * 0.9) break;
      this.#counts.delete(key);
    }
  }
}
