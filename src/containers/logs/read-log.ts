import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import type { LogLine, LogRequest } from '../container-backend.ts';
import { JournalFile } from './journal-file.ts';

export interface LogSource {
  path: string;
  /** Resolves once the journal will grow no more: the container has stopped. */
  ended: Promise<void>;
}

/** The journal of a container as `docker logs` shows it. Ends at its end, or with `follow` when the container has stopped. */
export async function* readLog(
  source: LogSource,
  request: LogRequest,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const growth = request.follow ? new Growth(source.path, signal) : undefined;
  let stopped = !request.follow;
  void source.ended.then(() => {
    stopped = true;
    growth?.wake();
  });
  try {
    let offset: number | undefined;
    while (!signal.aborted) {
      const isLast = stopped;
      offset = yield* readOnce(source.path, offset, request);
      if (offset === PAST_UNTIL || isLast || growth === undefined) return;
      await growth.next();
    }
  } finally {
    growth?.close();
  }
}

const PAST_UNTIL = -1;

/** Lines from `offset` (undefined: where the request starts) to the present end; returns where to go on. */
async function* readOnce(
  path: string,
  offset: number | undefined,
  request: LogRequest,
): AsyncGenerator<LogLine, number | undefined> {
  const file = await JournalFile.open(path);
  if (file === undefined) return offset;
  try {
    const records = file.records(offset ?? (await startOf(file, request)));
    while (true) {
      const { done, value } = await records.next();
      if (done) return value;
      if (request.untilNano !== undefined && value.timeNano > request.untilNano) return PAST_UNTIL;
      if (request.sinceNano !== undefined && value.timeNano < request.sinceNano) continue;
      if (value.stream === 'stdout' ? request.stdout : request.stderr) yield value;
    }
  } finally {
    await file.close();
  }
}

async function startOf(file: JournalFile, request: LogRequest): Promise<number> {
  const since = request.sinceNano === undefined ? 0 : await file.offsetOfTime(request.sinceNano);
  return request.tail === undefined ? since : Math.max(since, await file.offsetOfLast(request.tail));
}

/** Tells when a file has grown, also one that is not there yet. Growth between two calls of `next` is not missed. */
class Growth {
  readonly #watcher: FSWatcher | undefined;
  #pending = true;
  #wake: () => void = () => undefined;
  readonly #onAbort = () => this.wake();
  readonly #signal: AbortSignal;

  constructor(path: string, signal: AbortSignal) {
    this.#signal = signal;
    this.#watcher = this.#watch(dirname(path));
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  wake(): void {
    this.#pending = true;
    this.#wake();
  }

  async next(): Promise<void> {
    while (!this.#pending) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#pending = false;
  }

  close(): void {
    this.#watcher?.close();
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  /** Undefined for a folder that is not there: nothing was ever logged, and only the end is worth waiting for. */
  #watch(directory: string): FSWatcher | undefined {
    try {
      const watcher = watch(directory, () => this.wake());
      watcher.on('error', () => this.wake());
      return watcher;
    } catch (error) {
      if (errnoCodeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
}
