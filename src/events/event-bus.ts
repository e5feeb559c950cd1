import { EngineError } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import type { StateDb } from '../storage/state-db.ts';
import { nowNano } from '../sys/clock.ts';
import type { EngineEvent, EventSink } from './event.ts';
import { compileEventFilters, type EventTest } from './event-filters.ts';
import { boundedAction, lengthOf } from './event-size.ts';

const KEPT = 1000;
/** UTF-16 units of all that is kept. */
const KEPT_LENGTH = 8 * 1024 * 1024;
const FLUSH_MS = 500;
/** A reader that lags this many events behind is told so and cut off. */
const READER_LIMIT = 10_000;
const READER_LENGTH = 32 * 1024 * 1024;

/** The tables of this room, as the steps of a migration. */
export const eventTables = [
  'CREATE TABLE events (time_nano INTEGER PRIMARY KEY, event TEXT NOT NULL) STRICT',
];

interface Sized {
  event: EngineEvent;
  length: number;
}

interface Reader {
  test: EventTest;
  queue: Sized[];
  /** Of what is queued. */
  length: number;
  wake: () => void;
  overrun: boolean;
}

/**
 * The one sequencer of events: strictly rising times, the last 1,000 kept over restarts (written in batches off the path of the caller).
 */
export class EventBus implements EventSink {
  readonly #db: StateDb;
  readonly #logger: Logger;
  readonly #kept: Sized[] = [];
  #keptLength = 0;
  readonly #readers = new Set<Reader>();
  #unwritten: Sized[] = [];
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
      // The latest, as many as are kept: an earlier version bounded them by number alone.
      `SELECT time_nano, event FROM (
         SELECT time_nano, event, SUM(LENGTH(event)) OVER (ORDER BY time_nano DESC) AS length FROM events
       ) WHERE length <= ${KEPT_LENGTH} ORDER BY time_nano`,
    );
    for (const row of rows) {
      const timeNano = BigInt(row.time_nano);
      bus.#keep({ ...(JSON.parse(row.event) as Omit<EngineEvent, 'timeNano'>), timeNano });
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
    const sequenced: EngineEvent = { ...event, action: boundedAction(event.action), timeNano };
    const [action = ''] = event.action.split(':', 1);
    const key = `${event.type} ${action}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    const sized = this.#keep(sequenced);
    for (const reader of this.#readers) deliver(reader, sized);
    this.#unwritten.push(sized);
    // What would not be kept need not be written.
    if (this.#unwritten.length > KEPT) this.#unwritten.shift();
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
        : this.#kept.filter(
            ({ event }) => event.timeNano >= (sinceNano ?? 0n) && inRange(event) && test(event),
          );
    const reader: Reader = {
      test: (event) => inRange(event) && test(event),
      queue: past,
      length: past.reduce((sum, { length }) => sum + length, 0),
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
        const next = reader.queue.shift();
        if (next !== undefined) {
          reader.length -= next.length;
          yield next.event;
        } else if (reader.overrun)
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

  /** The latest stay, as many as have room. */
  #keep(event: EngineEvent): Sized {
    const sized = { event, length: lengthOf(event.action, event.attributes) };
    this.#kept.push(sized);
    this.#keptLength += sized.length;
    while (this.#kept.length > KEPT || (this.#keptLength > KEPT_LENGTH && this.#kept.length > 1))
      this.#keptLength -= this.#kept.shift()?.length ?? 0;
    return sized;
  }

  async #flush(): Promise<void> {
    const events = this.#unwritten;
    this.#unwritten = [];
    this.#flushTimer = undefined;
    if (events.length === 0) return;
    const [first] = this.#kept;
    const oldest = first?.event.timeNano ?? 0n;
    const current = events.filter(({ event }) => event.timeNano >= oldest);
    const inserts = current.map(({ event: { timeNano, ...event } }) => ({
      sql: 'INSERT INTO events (time_nano, event) VALUES (?, ?)',
      params: [timeNano, JSON.stringify(event)],
    }));
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

function deliver(reader: Reader, sized: Sized): void {
  if (reader.overrun || !reader.test(sized.event)) return;
  if (reader.queue.length >= READER_LIMIT || reader.length > READER_LENGTH) reader.overrun = true;
  else {
    reader.queue.push(sized);
    reader.length += sized.length;
  }
  reader.wake();
}

function millisecondsUntil(timeNano: bigint): number {
  return Math.min(Number((timeNano - nowNano()) / 1_000_000n), 2 ** 31 - 1);
}
