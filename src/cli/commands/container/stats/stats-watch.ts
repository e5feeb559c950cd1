import type { EngineClient } from '../../../../client/engine-client.ts';
import type { StatsLine } from '../../../output/stats-row.ts';

/** The newest figures of containers, in the order in which they came to be watched; each has a stream of its own. */
export class StatsWatch {
  readonly #client: EngineClient;
  readonly #signal: AbortSignal;
  readonly #lines = new Map<string, { line: StatsLine; stop: AbortController }>();
  #failure: unknown;

  constructor(client: EngineClient, signal: AbortSignal) {
    this.#client = client;
    this.#signal = signal;
  }

  /** @throws what the first stream failed with that was not for its container's removal. */
  get lines(): StatsLine[] {
    if (this.#failure !== undefined) throw this.#failure;
    return [...this.#lines.values()].map(({ line }) => line);
  }

  /** Watch `id`, shown as `container`, until it is removed. */
  add(id: string, container = id): void {
    if (this.#lines.has(id)) return;
    const stop = new AbortController();
    const line: StatsLine = { container, stats: undefined };
    this.#lines.set(id, { line, stop });
    void this.#follow(id, line, AbortSignal.any([stop.signal, this.#signal])).catch((error: unknown) => {
      if (!stop.signal.aborted && !this.#signal.aborted) this.#failure ??= error;
    });
  }

  remove(id: string): void {
    this.#lines.get(id)?.stop.abort();
    this.#lines.delete(id);
  }

  async #follow(id: string, line: StatsLine, signal: AbortSignal): Promise<void> {
    for await (const stats of this.#client.containers.followStats(id, { signal })) line.stats = stats;
    this.#lines.delete(id);
  }
}

/** Watch all containers that run (with `stopped`: that there are) and those to come. Resolves when `signal` aborts. */
export async function watchAll(
  client: EngineClient,
  watch: StatsWatch,
  { stopped, signal, ready }: { stopped: boolean; signal: AbortSignal; ready: () => void },
): Promise<void> {
  const since = String(Math.floor(Date.now() / 1000));
  for (const { Id } of await client.containers.list({ all: stopped })) watch.add(Id, Id.slice(0, 12));
  ready();
  const event = ['create', 'start', 'die', 'destroy'];
  const filters = { type: ['container'], event };
  for await (const { Action, Actor } of client.system.events({ since, filters, signal })) {
    if (Action === 'start' || (stopped && Action === 'create')) watch.add(Actor.ID, Actor.ID.slice(0, 12));
    else if (Action === 'destroy' || (!stopped && Action === 'die')) watch.remove(Actor.ID);
  }
}
