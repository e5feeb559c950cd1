import type { BuildDockerfile, BuildEvent } from '../../builder/build-progress.ts';
import type { BuildResult } from '../../builder/builder.ts';
import { StepCounter, type StepCounts } from './step-counts.ts';

/** What waits of a build's output for one who reads slowly. */
const MAX_WAITING_BYTES = 32 << 20;
/** What is kept of it for those who come late. */
const MAX_KEPT_BYTES = 1 << 20;
const CLIPPED = new TextEncoder().encode('\n[output clipped: its reader is too slow]\n');

/** One build that a client runs, by the name it gave it: its events, and how it ended. */
export class BuildJob {
  readonly ref: string;
  /** A client's own question, no build that a history tells of. */
  readonly isInternal: boolean;
  readonly startedNano: bigint;
  readonly #kept = new EventQueue(MAX_KEPT_BYTES);
  readonly #watchers = new Set<EventQueue>();
  readonly #ended = Promise.withResolvers<void>();
  #counter: StepCounter | undefined = new StepCounter();
  #counts: StepCounts = { total: 0, completed: 0, cached: 0, warnings: 0 };
  #endedNano: bigint | undefined;
  #dockerfile: BuildDockerfile | undefined;
  #result: BuildResult | undefined;
  #error: Error | undefined;

  constructor(ref: string, options: { isInternal: boolean; nowNano: bigint }) {
    this.ref = ref;
    this.isInternal = options.isInternal;
    this.startedNano = options.nowNano;
  }

  get dockerfile(): BuildDockerfile | undefined {
    return this.#dockerfile;
  }

  get endedNano(): bigint | undefined {
    return this.#endedNano;
  }

  get result(): BuildResult | undefined {
    return this.#result;
  }

  get error(): Error | undefined {
    return this.#error;
  }

  /** Resolves when it has, however. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get counts(): StepCounts {
    return this.#counter?.counts ?? this.#counts;
  }

  /** About what it takes to tell late comers of it. */
  get keptBytes(): number {
    return this.#kept.bytes;
  }

  /** Late comers hear nothing of it from now on but how it ended. */
  forgetEvents(): void {
    this.#kept.clear();
    this.#dockerfile = undefined;
  }

  tell(event: BuildEvent): void {
    this.#counter?.count(event);
    if (event.type === 'dockerfile') this.#dockerfile = event.dockerfile;
    // Of a transfer only the end is of interest later.
    if (event.type !== 'transfer' || event.transfer.completedNano !== undefined) this.#kept.push(event);
    for (const watcher of this.#watchers) watcher.push(event);
  }

  end(outcome: { result?: BuildResult; error?: Error }, nowNano: bigint): void {
    if (this.#endedNano !== undefined) return;
    this.#endedNano = nowNano;
    this.#result = outcome.result;
    this.#error = outcome.error;
    this.#counts = this.counts;
    this.#counter = undefined;
    for (const watcher of this.#watchers) watcher.close();
    this.#ended.resolve();
  }

  /** All that was told and will be, some at a time, to its end. */
  async *events(signal: AbortSignal): AsyncGenerator<BuildEvent[]> {
    const queue = new EventQueue(MAX_WAITING_BYTES, this.#kept);
    const close = (): void => queue.close();
    signal.addEventListener('abort', close, { once: true });
    if (this.#endedNano !== undefined || signal.aborted) queue.close();
    this.#watchers.add(queue);
    try {
      for (;;) {
        const events = await queue.take();
        if (events.length === 0 || signal.aborted) return;
        yield events;
      }
    } finally {
      this.#watchers.delete(queue);
      signal.removeEventListener('abort', close);
    }
  }
}

/** Events that wait for a reader: of the logs no more than so many bytes. */
class EventQueue {
  readonly #maxLogBytes: number;
  #events: BuildEvent[] = [];
  #logBytes = 0;
  #bytes = 0;
  #isClosed = false;
  #wake: (() => void) | undefined;

  constructor(maxLogBytes: number, from?: EventQueue) {
    this.#maxLogBytes = maxLogBytes;
    if (from === undefined) return;
    this.#events = [...from.#events];
    this.#logBytes = from.#logBytes;
  }

  /** About, of all that was pushed. */
  get bytes(): number {
    return this.#bytes;
  }

  clear(): void {
    this.#events = [];
    this.#bytes = 0;
  }

  push(event: BuildEvent): void {
    if (event.type !== 'log' || this.#logBytes <= this.#maxLogBytes) this.#bytes += bytesOf(event);
    if (event.type === 'log') {
      const before = this.#logBytes;
      this.#logBytes += event.log.data.length;
      if (before > this.#maxLogBytes) return;
      if (this.#logBytes > this.#maxLogBytes)
        this.#events.push({ ...event, log: { ...event.log, data: CLIPPED } });
      else this.#events.push(event);
    } else this.#events.push(event);
    const wake = this.#wake;
    wake?.();
  }

  close(): void {
    this.#isClosed = true;
    const wake = this.#wake;
    wake?.();
  }

  /** What is there, or what comes next; empty: the end. */
  async take(): Promise<BuildEvent[]> {
    if (this.#events.length === 0 && !this.#isClosed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = undefined;
    }
    this.#logBytes = 0;
    return this.#events.splice(0);
  }
}

/** Of an event without its texts. */
const EVENT_BYTES = 300;

function bytesOf(event: BuildEvent): number {
  switch (event.type) {
    case 'log':
      return EVENT_BYTES + event.log.data.length;
    case 'vertex':
      return EVENT_BYTES + 2 * (event.vertex.name.length + (event.vertex.error?.length ?? 0));
    case 'plan':
      return event.lines.reduce((sum, { code }) => sum + EVENT_BYTES + 2 * code.length, EVENT_BYTES);
    case 'dockerfile':
      return EVENT_BYTES + event.dockerfile.data.length;
    default:
      return EVENT_BYTES;
  }
}
