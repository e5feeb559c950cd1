import { EngineError } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import type { StateDb } from '../storage/state-db.ts';
import { nowNano } from '../sys/clock.ts';
import type { EngineEvent, EventSink } from './event.ts';
import { compileEventFilters, type EventTest } from './event-filters.ts';

const KEPT = 1000;
const FLUSH_MS = 500;
/** A reader that lags this many events behind is told so and cut off. */
const READER_LIMIT = 10_000;

/** The tables of this room, as the steps of a migration. */
export const eventTables = [
  'CREATE TABLE events (time_nano INTEGER PRIMARY KEY, event TEXT NOT NULL) STRICT',
];

interface Reader {
  test: EventTest;
  queue: EngineEvent[];
  wake: () => void;
  overrun: boolean;
}

/**
 * The one sequencer of events: strictly rising times, the last 1,000 kept over restarts (written in batches off the path of the caller).
 */
export class EventBus implements EventSink {
  readonly #db: StateDb;
  readonly #logger: Logger;
  readonly #kept: EngineEvent[] = [];
  readonly #readers = new Set<Reader>();
  #unwritten: EngineEvent[] = [];
  #flushTimer: ReturnType<typeof setTimeout> | undefined;
  #lastNano = 0n;
  readonly #counts = new Map<string, number>();

  private constructor(db: StateDb, logger: Logger) {
    this.#db = db;
    this.#logger = logger;
  }

  static async open(db: StateDb, logger: Logger): Promise<EventBus> {
    const bus = new EventBus(db, logger);
    const rows = await db.query<{ time_nano: number | bigint; event: string }>(
      'SELECT time_nano, event FROM events ORDER BY time_nano',
    );
    for (const row of rows) {
      const timeNano = BigInt(row.time_nano);
      bus.#kept.push({ ...(JSON.parse(row.event) as Omit<EngineEvent, 'timeNano'>), timeNano });
      bus.#lastNano = timeNano;
    }
    return bus;
  }

  get listeners(): number {
    return this.#readers.size;
  }

  /** Events since this process' start, by `<type> <action>`; what is said after an action's colon is left out. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  publish(event: Omit<EngineEvent, 'timeNano'> & { timeNano?: bigint }): void {
    const wanted = event.timeNano ?? nowNano();
    const timeNano = wanted > this.#lastNano ? wanted : this.#lastNano + 1n;
    this.#lastNano = timeNano;
    const sequenced: EngineEvent = { ...event, timeNano };
    const [action = ''] = event.action.split(':', 1);
    const key = `${event.type} ${action}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    this.#kept.push(sequenced);
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const reader of this.#readers) deliver(reader, sequenced);
    this.#unwritten.push(sequenced);
    this.#flushTimer ??= setTimeout(() => void this.#flush(), FLUSH_MS);
  }

  /**
   * Events from `sinceNano` on, kept ones first, then as they come. Ends at `untilNano` or when `signal` aborts. Registered when it returns.
   */
  subscribe(
    request: {
      sinceNano: bigint | undefined;
      untilNano: bigint | undefined;
      filters: ReadonlyMap<string, string[]>;
    },
    signal: AbortSignal,
  ): AsyncIterable<EngineEvent> {
    const { sinceNano, untilNano } = request;
    const test = compileEventFilters(request.filters);
    const inRange = (event: EngineEvent) => untilNano === undefined || event.timeNano <= untilNano;
    const past =
      sinceNano === undefined && untilNano === undefined
        ? []
        : this.#kept.filter((event) => event.timeNano >= (sinceNano ?? 0n) && inRange(event) && test(event));
    const reader: Reader = {
      test: (event) => inRange(event) && test(event),
      queue: past,
      wake: () => undefined,
      overrun: false,
    };
    const end = untilNano === undefined ? undefined : millisecondsUntil(untilNano);
    if (end === undefined || end > 0) this.#readers.add(reader);
    return this.#read(reader, signal, end);
  }

  async close(): Promise<void> {
    clearTimeout(this.#flushTimer);
    await this.#flush();
  }

  async *#read(
    reader: Reader,
    signal: AbortSignal,
    endInMs: number | undefined,
  ): AsyncGenerator<EngineEvent> {
    let ended = endInMs !== undefined && endInMs <= 0;
    const stop = () => {
      ended = true;
      reader.wake();
    };
    const timer = endInMs === undefined || ended ? undefined : setTimeout(stop, endInMs);
    signal.addEventListener('abort', stop, { once: true });
    try {
      while (!signal.aborted) {
        const event = reader.queue.shift();
        if (event !== undefined) yield event;
        else if (reader.overrun)
          throw new EngineError('internal', `The client fell ${READER_LIMIT} events behind`);
        else if (ended) return;
        else
          await new Promise<void>((resolve) => {
            reader.wake = resolve;
          });
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      this.#readers.delete(reader);
    }
  }

  async #flush(): Promise<void> {
    const events = this.#unwritten;
    this.#unwritten = [];
    this.#flushTimer = undefined;
    if (events.length === 0) return;
    const inserts = events.slice(-KEPT).map(({ timeNano, ...event }) => ({
      sql: 'INSERT INTO events (time_nano, event) VALUES (?, ?)',
      params: [timeNano, JSON.stringify(event)],
    }));
    const oldest = this.#kept[0]?.timeNano ?? 0n;
    try {
      await this.#db.transact([
        ...inserts,
        { sql: 'DELETE FROM events WHERE time_nano < ?', params: [oldest] },
      ]);
    } catch (error) {
      this.#logger.error('Cannot keep events', { error: String(error) });
    }
  }
}

function deliver(reader: Reader, event: EngineEvent): void {
  if (reader.overrun || !reader.test(event)) return;
  if (reader.queue.length >= READER_LIMIT) reader.overrun = true;
  else reader.queue.push(event);
  reader.wake();
}

function millisecondsUntil(timeNano: bigint): number {
  return Math.min(Number((timeNano - nowNano()) / 1_000_000n), 2 ** 31 - 1);
}
