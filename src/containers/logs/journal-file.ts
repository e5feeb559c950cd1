import { type FileHandle, open } from 'node:fs/promises';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import type { FileId } from './file-id.ts';
import { type JournalRecord, journalTime, parseJournalLine } from './log-line.ts';
import { isPacked, type PackedOrigin, readOrigin, unpack } from './packed-journal.ts';

const BLOCK_BYTES = 64 << 10;
/** Reading on in one go takes more at once than looking for a place. */
const STREAM_BYTES = 256 << 10;
const NEWLINE = 0x0a;

/** Lines being counted from the journal's end, over all its files. */
export interface TailCounter {
  wanted: number;
  /** No line was met so far. */
  atEnd: boolean;
}

/**
 * A file of a journal being read: positions are byte offsets of line starts. One that was packed is unpacked where its content is first
 * looked at, into a file without a name.
 */
export class JournalFile {
  /** What it is known by whatever it is called, also once it is packed; no other file's while this one is open. */
  readonly id: FileId;
  /** When its last line was written, where that can be told without reading it. */
  readonly lastNano: bigint | undefined;
  readonly #path: string;
  readonly #stored: FileHandle;
  /** Of what is stored packed. */
  #unpacked: Promise<FileHandle> | undefined;

  private constructor(path: string, file: FileHandle, known: PackedOrigin) {
    this.#path = path;
    this.#stored = file;
    this.id = known.id;
    this.lastNano = known.lastNano;
  }

  /** Undefined where the file is absent: nothing was ever logged. */
  static async open(path: string): Promise<JournalFile | undefined> {
    const file = await open(path, 'r').catch((error: unknown) => {
      if (errnoCodeOf(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (file === undefined) return undefined;
    try {
      return new JournalFile(path, file, await readOrigin(path, file));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async size(): Promise<number> {
    return (await (await this.#content()).stat()).size;
  }

  /** When it was written to last. */
  async modifiedNano(): Promise<bigint> {
    return (await this.#stored.stat({ bigint: true })).mtimeNs;
  }

  /** Complete lines from `offset` on, up to the present end, a block at a time, each with where the next line starts. */
  async *records(offset: number): AsyncGenerator<{ records: JournalRecord[]; next: number }, void> {
    let position = offset;
    let carry: Uint8Array = new Uint8Array(0);
    while (true) {
      const block = await this.#read(position + carry.length, STREAM_BYTES);
      if (block.length === 0) return;
      const text = carry.length === 0 ? block : Buffer.concat([carry, block]);
      const records: JournalRecord[] = [];
      let start = 0;
      for (let end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE, start)) {
        const record = parseJournalLine(text, start, end);
        start = end + 1;
        if (record !== undefined) records.push(record);
      }
      position += start;
      carry = text.subarray(start);
      if (start > 0) yield { records, next: position };
    }
  }

  /** Start of the first line that is not older than `sinceNano`. Lines are in the order of time; log n reads. */
  async offsetOfTime(sinceNano: bigint): Promise<number> {
    let low = 0;
    let high = await this.size();
    while (high - low > BLOCK_BYTES) {
      const middle = low + Math.floor((high - low) / 2);
      const found = await this.#firstLineAfter(middle, high);
      if (found === undefined) high = middle;
      else if (found.timeNano < sinceNano) low = found.offset;
      else high = middle;
    }
    return await this.#scanFrom(low, sinceNano);
  }

  /**
   * Start of the last whole output lines (parts belong to the line that they end in), as many as `counter` wants still, which is less what
   * was found. Undefined: they begin in the file before.
   */
  async offsetOfLast(counter: TailCounter): Promise<number | undefined> {
    let end = await this.size();
    if (counter.wanted === 0 && counter.atEnd) return end;
    let carry: Uint8Array = new Uint8Array(0);
    while (end > 0) {
      const start = Math.max(0, end - BLOCK_BYTES);
      const text = Buffer.concat([await this.#read(start, end - start), carry]);
      const firstLine = start === 0 ? 0 : text.indexOf(NEWLINE) + 1;
      const found = start > 0 && firstLine === 0 ? undefined : countBackwards(text, firstLine, counter);
      if (found !== undefined) return start + found;
      carry = start > 0 && firstLine === 0 ? text : text.subarray(0, firstLine);
      end = start;
    }
    return undefined;
  }

  async close(): Promise<void> {
    await this.#stored.close();
    await (await this.#unpacked?.catch(() => undefined))?.close();
  }

  async #content(): Promise<FileHandle> {
    if (!isPacked(this.#path)) return this.#stored;
    this.#unpacked ??= unpack(this.#path, this.#stored);
    return await this.#unpacked;
  }

  async #firstLineAfter(
    offset: number,
    limit: number,
  ): Promise<{ offset: number; timeNano: bigint } | undefined> {
    let position = offset;
    while (position < limit) {
      const block = await this.#read(position, BLOCK_BYTES);
      if (block.length === 0) return undefined;
      for (let start = block.indexOf(NEWLINE) + 1; start > 0; ) {
        const end = block.indexOf(NEWLINE, start);
        const timeNano = journalTime(block, start, end < 0 ? block.length : end);
        if (timeNano !== undefined && position + start < limit) return { offset: position + start, timeNano };
        start = end + 1;
      }
      position += block.length - 128;
      if (block.length <= 128) return undefined;
    }
    return undefined;
  }

  async #scanFrom(offset: number, sinceNano: bigint): Promise<number> {
    let position = offset;
    while (true) {
      const block = await this.#read(position, BLOCK_BYTES);
      let start = 0;
      for (let end = block.indexOf(NEWLINE); end >= 0; end = block.indexOf(NEWLINE, start)) {
        const timeNano = journalTime(block, start, end);
        if (timeNano !== undefined && timeNano >= sinceNano) return position + start;
        start = end + 1;
      }
      if (block.length === 0 || start === 0) return position;
      position += start;
    }
  }

  async #read(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    const { bytesRead } = await (await this.#content()).read(buffer, 0, length, position);
    return buffer.subarray(0, bytesRead);
  }
}

/** Walk the lines of `text` backwards; where the wanted number is full, the offset at which the following line starts. */
function countBackwards(text: Buffer, firstLine: number, counter: TailCounter): number | undefined {
  let lineEnd = text.lastIndexOf(NEWLINE);
  while (lineEnd >= firstLine) {
    const lineStart =
      lineEnd === firstLine ? firstLine : Math.max(firstLine, text.lastIndexOf(NEWLINE, lineEnd - 1) + 1);
    const record = parseJournalLine(text, lineStart, lineEnd);
    if (record !== undefined && (!record.partial || counter.atEnd)) {
      if (counter.wanted === 0) return lineEnd + 1;
      counter.wanted--;
    }
    if (record !== undefined) counter.atEnd = false;
    lineEnd = lineStart - 1;
  }
  return undefined;
}
