import { readFile, rename, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoCodeOf, messageOf } from '../../../errors/engine-error.ts';
import type { Logger } from '../../../errors/logger.ts';
import { parseFileId } from '../file-id.ts';
import { Growth } from '../growth.ts';
import { PartJoiner } from '../join-parts.ts';
import { LogCursor, type LogPlace } from '../log-cursor.ts';
import type { LogFiles } from '../log-files.ts';
import type { LogConsumer } from './log-consumer.ts';

const RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;

export interface ShipperOptions {
  files: LogFiles;
  /** Where the place behind what was delivered is kept. */
  placePath: string;
  consumer: LogConsumer;
  logger: Logger;
  containerId: string;
}

/**
 * Hands a container's journal on to a consumer, from where the last shipper left off, whoever's daemon that was. Each line at least once: only a
 * daemon that dies between delivery and note makes lines come twice. A consumer that is away is waited for, as long as the journal has the lines.
 */
export class LogShipper {
  readonly #options: ShipperOptions;
  readonly #abort = new AbortController();
  readonly #growth: Growth;
  readonly #done: Promise<void>;
  #ended = false;

  constructor(options: ShipperOptions) {
    this.#options = options;
    this.#growth = new Growth(options.files.directory, this.#abort.signal);
    this.#done = this.#run().catch((error: unknown) => this.#warn('Cannot hand on a log', error));
  }

  /** The journal grows no more: resolves when all is delivered. Given up after `timeoutMs`; a later shipper goes on from there. */
  async finish(timeoutMs: number): Promise<void> {
    this.#ended = true;
    this.#growth.wake();
    const timer = setTimeout(() => this.#abort.abort(), timeoutMs);
    await this.#done;
    clearTimeout(timer);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { files, placePath, consumer } = this.#options;
    const place = await readPlace(placePath);
    const cursor = new LogCursor(files);
    const joiner = new PartJoiner();
    try {
      while (!this.#abort.signal.aborted) {
        const isLast = this.#ended;
        for await (const records of cursor.advance({ place, sinceNano: undefined, tail: undefined })) {
          const lines = joiner.push(records);
          if (!(await this.#deliver(lines))) return;
          // A line that has begun comes again whole.
          if (joiner.isBetweenLines) await writePlace(placePath, cursor.place);
        }
        if (isLast) {
          if (await this.#deliver(joiner.rest())) await writePlace(placePath, cursor.place);
          return;
        }
        await this.#growth.next();
      }
    } finally {
      this.#growth.close();
      await cursor.close();
      consumer.close();
    }
  }

  /** False: given up. */
  async #deliver(lines: Parameters<LogConsumer['send']>[0]): Promise<boolean> {
    if (lines.length === 0) return true;
    for (let wait = RETRY_MS; !this.#abort.signal.aborted; wait = Math.min(wait * 2, MAX_RETRY_MS)) {
      try {
        await this.#options.consumer.send(lines);
        return true;
      } catch (error) {
        this.#warn('Cannot reach the log driver of a container; its lines wait', error);
      }
      await sleep(wait, undefined, { signal: this.#abort.signal }).catch(() => undefined);
    }
    return false;
  }

  #warn(what: string, error: unknown): void {
    const { logger, containerId } = this.#options;
    logger.warn(what, { container: containerId, error: messageOf(error) });
  }
}

/** Undefined: nothing was delivered, or what says so was cut short. */
async function readPlace(path: string): Promise<LogPlace | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const match = /^([\d.]+) (\d+)\n$/.exec(text);
  const id = parseFileId(match?.[1] ?? '');
  return id === undefined ? undefined : { id, offset: Number(match?.[2]) };
}

/** The container's folder may go meanwhile. */
async function writePlace(path: string, place: LogPlace | undefined): Promise<void> {
  if (place === undefined) return;
  try {
    await writeFile(`${path}.tmp`, `${place.id} ${place.offset}\n`, { mode: 0o600 });
    await rename(`${path}.tmp`, path);
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error;
  }
}
