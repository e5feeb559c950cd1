/** Something that is done once for all who want it at the same time. */
interface Shared<Event, Result> {
  result: Promise<Result>;
  controller: AbortController;
  waiters: Set<(event: Event) => void>;
  /** What was told so far, for those who come later. */
  told: Event[];
}

/** Events that a late comer is told; the output of a step is bounded below this anyway. */
const MAX_TOLD = 20_000;

/**
 * Work by key: who asks for a key that is under way joins it, hears what was told and shares its end. It is given up once the last of those
 * who wait has left.
 */
export class SharedWork<Event, Result> {
  readonly #running = new Map<string, Shared<Event, Result>>();

  /** @throws as `work`; the signal's reason once aborted, after the work has ended where nobody else wants it. */
  async run(
    key: string,
    options: { signal: AbortSignal; tell: (event: Event) => void },
    work: (context: { signal: AbortSignal; tell: (event: Event) => void }) => Promise<Result>,
  ): Promise<Result> {
    const { signal, tell } = options;
    signal.throwIfAborted();
    const shared = this.#join(key, tell) ?? this.#start(key, tell, work);
    const left = Promise.withResolvers<never>();
    const leave = (): void => {
      shared.waiters.delete(tell);
      if (shared.waiters.size > 0) return left.reject(signal.reason);
      shared.controller.abort(signal.reason);
      void shared.result.then(
        () => left.reject(signal.reason),
        () => left.reject(signal.reason),
      );
    };
    left.promise.catch(() => undefined);
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([left.promise, shared.result.then((result) => orAborted(result, signal))]);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', leave);
      shared.waiters.delete(tell);
    }
  }

  /** How many pieces of work are under way. */
  get size(): number {
    return this.#running.size;
  }

  #join(key: string, tell: (event: Event) => void): Shared<Event, Result> | undefined {
    const shared = this.#running.get(key);
    // One that is being given up is nothing to wait for.
    if (shared === undefined || shared.controller.signal.aborted) return undefined;
    for (const event of shared.told) tell(event);
    shared.waiters.add(tell);
    return shared;
  }

  #start(
    key: string,
    tell: (event: Event) => void,
    work: (context: { signal: AbortSignal; tell: (event: Event) => void }) => Promise<Result>,
  ): Shared<Event, Result> {
    const controller = new AbortController();
    const waiters = new Set([tell]);
    const told: Event[] = [];
    const spread = (event: Event): void => {
      if (told.length < MAX_TOLD) told.push(event);
      for (const waiter of waiters) waiter(event);
    };
    const result = work({ signal: controller.signal, tell: spread });
    const shared: Shared<Event, Result> = { result, controller, waiters, told };
    this.#running.set(key, shared);
    const forget = (): void => {
      if (this.#running.get(key) === shared) this.#running.delete(key);
    };
    result.then(forget, forget);
    return shared;
  }
}

function orAborted<T>(result: T, signal: AbortSignal): T {
  signal.throwIfAborted();
  return result;
}
