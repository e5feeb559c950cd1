import type { FileId } from './file-id.ts';
import type { JournalFile, TailCounter } from './journal-file.ts';
import type { LogFiles } from './log-files.ts';
import type { JournalRecord } from './log-line.ts';

/** A line's start in a journal. */
export interface LogPlace {
  /** Of the file. */
  id: FileId;
  offset: number;
}

export interface LogStart {
  /** From there, or where its file is gone from the oldest line; instead of what follows. */
  place?: LogPlace | undefined;
  /** From the first line that is not older. */
  sinceNano: bigint | undefined;
  /** Only the last so many lines of what there is now. */
  tail: number | undefined;
}

/**
 * Reads a journal and then what is added to it, each line once. A place is an open file and an offset: a file that was renamed, or removed,
 * is read to its end before the next one; one that was cut short begins anew.
 */
export class LogCursor {
  readonly #files: LogFiles;
  /** The one being read, and those after it that are known, oldest first. */
  #open: JournalFile[] = [];
  #offset = 0;
  #started = false;

  constructor(files: LogFiles) {
    this.#files = files;
  }

  /** Whole lines up to the present end, many at a time; the first call begins at `start`. */
  async *advance(start: LogStart): AsyncGenerator<JournalRecord[]> {
    if (this.#started) await this.#findNewer();
    else await this.#begin(start);
    // The monitor has left a file for good once the next one is there.
    for (let [file] = this.#open; file !== undefined; [file] = this.#open) {
      if ((await file.size()) < this.#offset) this.#offset = 0;
      for await (const { records, next } of file.records(this.#offset)) {
        this.#offset = next;
        yield records;
      }
      if (this.#open.length === 1) return;
      this.#open.shift();
      this.#offset = 0;
      await file.close();
    }
  }

  /** Behind the last line that was handed out; undefined where there is no journal. */
  get place(): LogPlace | undefined {
    const [file] = this.#open;
    return file === undefined ? undefined : { id: file.id, offset: this.#offset };
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = [];
    for (const file of open) await file.close();
  }

  async #begin(start: LogStart): Promise<void> {
    this.#started = true;
    this.#open = await this.#files.open();
    const { at, offset } = await placeOf(this.#open, start);
    this.#offset = offset;
    for (const file of this.#open.splice(0, at)) await file.close();
  }

  async #findNewer(): Promise<void> {
    const last = this.#open.at(-1);
    if (last !== undefined && (await this.#files.liveId()) === last.id) return;
    const found = await this.#files.open();
    const first = last === undefined ? 0 : await firstAfter(found, last);
    this.#open.push(...found.splice(first));
    for (const file of found) await file.close();
  }
}

/** Which of `files` was begun after `last`. Where that has been removed, the times tell: one is written to after the other. */
async function firstAfter(files: readonly JournalFile[], last: JournalFile): Promise<number> {
  const listed = files.findIndex(({ id }) => id === last.id);
  if (listed >= 0) return listed + 1;
  const times = await Promise.all(files.map((file) => file.modifiedNano()));
  const lastNano = await last.modifiedNano();
  const first = times.findIndex((time) => time >= lastNano);
  return first < 0 ? files.length : first;
}

interface Place {
  at: number;
  offset: number;
}

async function placeOf(files: readonly JournalFile[], start: LogStart): Promise<Place> {
  const { place, sinceNano, tail } = start;
  if (place !== undefined) {
    const at = files.findIndex(({ id }) => id === place.id);
    return at < 0 ? { at: 0, offset: 0 } : { at, offset: place.offset };
  }
  const since = sinceNano === undefined ? { at: 0, offset: 0 } : await placeOfTime(files, sinceNano);
  if (tail === undefined) return since;
  const last = await placeOfLast(files, tail);
  const isLater = last.at > since.at || (last.at === since.at && last.offset > since.offset);
  return isLater ? last : since;
}

async function placeOfTime(files: readonly JournalFile[], sinceNano: bigint): Promise<Place> {
  const place = { at: 0, offset: 0 };
  for (const [at, file] of files.entries()) {
    if (file.lastNano !== undefined && file.lastNano < sinceNano && at < files.length - 1) continue;
    Object.assign(place, { at, offset: await file.offsetOfTime(sinceNano) });
    if (place.offset < (await file.size())) break;
  }
  return place;
}

async function placeOfLast(files: readonly JournalFile[], count: number): Promise<Place> {
  const counter: TailCounter = { wanted: count, atEnd: true };
  for (const [at, file] of [...files.entries()].reverse()) {
    const offset = await file.offsetOfLast(counter);
    if (offset !== undefined) return { at, offset };
  }
  return { at: 0, offset: 0 };
}
