import { type FSWatcher, watch } from 'node:fs';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import type { LogLine, LogRequest } from '../container-backend.ts';
import { LogCursor } from './log-cursor.ts';
import type { LogFiles } from './log-files.ts';

export interface LogSource {
  files: LogFiles;
  /** Resolves once the journal will grow no more: the container has stopped. */
  ended: Promise<void>;
}

/** The journal of a container as `docker logs` shows it. Ends at its end, or with `follow` when the container has stopped. */
export async function* readLog(
  source: LogSource,
  request: LogRequest,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const { sinceNano, untilNano } = request;
  const growth = request.follow ? new Growth(source.files.directory, signal) : undefined;
  let stopped = !request.follow;
  void source.ended.then(() => {
    stopped = true;
    growth?.wake();
  });
  const cursor = new LogCursor(source.files);
  try {
    while (!signal.aborted) {
      const isLast = stopped;
      for await (const record of cursor.advance(request)) {
        if (untilNano !== undefined && record.timeNano > untilNano) return;
        if (sinceNano !== undefined && record.timeNano < sinceNano) continue;
        if (record.stream === 'stdout' ? request.stdout : request.stderr) yield record;
      }
      if (isLast || growth === undefined) return;
      await growth.next();
    }
  } finally {
    growth?.close();
    await cursor.close();
  }
}

/** Tells when a file in a folder has grown, also one that is not there yet. Growth between two calls of `next` is not missed. */
class Growth {
  readonly #watcher: FSWatcher | undefined;
  #pending = true;
  #wake: () => void = () => undefined;
  readonly #onAbort = () => this.wake();
  readonly #signal: AbortSignal;

  constructor(directory: string, signal: AbortSignal) {
    this.#signal = signal;
    this.#watcher = this.#watch(directory);
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
