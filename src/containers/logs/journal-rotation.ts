import { type FileHandle, open, rename, rm, stat, utimes } from 'node:fs/promises';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import { type FileId, fileId } from './file-id.ts';
import type { JournalLimits } from './journal-limits.ts';
import { LogFiles, type RotatedFile } from './log-files.ts';
import { journalTime } from './log-line.ts';
import { PACKED, pack } from './packed-journal.ts';

const NEWLINE = 0x0a;
const COPY_BYTES = 1 << 20;
/** More than a line of the monitor's can be. */
const LAST_LINE_BYTES = 64 << 10;

/**
 * The steps by which a journal's files are moved, packed and dropped. Each leaves a state that readers and the next daemon understand; steps of
 * one journal never run side by side. The monitor's own temporary file is not ours to touch.
 */
export class JournalRotation {
  readonly files: LogFiles;
  readonly #limits: JournalLimits;

  constructor(files: LogFiles, limits: JournalLimits) {
    this.files = files;
    this.#limits = limits;
  }

  async liveSize(): Promise<number> {
    return await stat(this.files.path).then(
      ({ size }) => size,
      (error: unknown) => {
        if (errnoCodeOf(error) === 'ENOENT') return 0;
        throw error;
      },
    );
  }

  /** Remove what a crash has left half made. */
  async tidy(): Promise<void> {
    await rm(this.#partPath, { force: true });
    await rm(this.#trimPath, { force: true });
    await this.#dropDoubles();
  }

  /** Of two forms of one file the plain one counts: a crash came before it could go. */
  async #dropDoubles(): Promise<void> {
    for (const { number, plain, packed } of await this.files.rotated())
      if (plain && packed) await rm(`${this.files.path}.${number}${PACKED}`, { force: true });
  }

  /**
   * Move the file that is written to out of the way of a new one, and those before it on; the oldest beyond the limit go first, so that a full
   * disk has room. Numbers may have gaps where a daemon died on the way.
   */
  async shift(): Promise<void> {
    await this.#dropDoubles();
    const rotated = await this.files.rotated();
    const keep = Math.max(0, this.#limits.maxFiles - 2);
    for (const file of rotated.splice(keep)) await rm(this.files.pathOf(file), { force: true });
    for (const [index, file] of [...rotated.entries()].reverse()) {
      const number = Math.max(file.number, index + 2);
      if (number !== file.number)
        await rename(this.files.pathOf(file), this.files.pathOf({ ...file, number }));
    }
    await rename(this.files.path, `${this.files.path}.1`);
  }

  /** Drop what is over the limits, once the monitor has left the file before. One that it has not left counts as the one it writes to. */
  async drop(): Promise<void> {
    const isLeft = (await this.files.liveId()) !== undefined;
    const keep = isLeft ? this.#limits.maxFiles - 1 : this.#limits.maxFiles;
    for (const file of (await this.files.rotated()).slice(keep))
      await rm(this.files.pathOf(file), { force: true });
  }

  /** Cut what has grown without a daemon to the size of the limit; its newest lines stay. Only for files that the monitor has left. */
  async trim(): Promise<void> {
    const { maxFileBytes, maxFiles } = this.#limits;
    let left = maxFileBytes * (maxFiles - 1);
    for (const file of await this.files.rotated()) {
      const path = this.files.pathOf(file);
      const { size } = await stat(path);
      // A packed file was within the limit when it was packed.
      if (left <= 0) await rm(path, { force: true });
      else if (file.plain && size > Math.max(left, 2 * maxFileBytes)) await this.#cut(path, left);
      left -= file.plain ? size : maxFileBytes;
    }
  }

  /** The oldest that is to be packed and is not. */
  async nextToPack(): Promise<RotatedFile | undefined> {
    if (!this.#limits.compress) return undefined;
    return (await this.files.rotated()).findLast(({ plain }) => plain);
  }

  /** Pack a file's content; it may be moved meanwhile. Undefined: it is gone. */
  async packPart(file: RotatedFile): Promise<FileId | undefined> {
    const handle = await openOrAbsent(this.files.pathOf(file));
    if (handle === undefined) return undefined;
    try {
      const stats = await handle.stat({ bigint: true });
      await pack(handle, this.#partPath, { id: fileId(stats), lastNano: await lastTime(handle) });
      await utimes(this.#partPath, stats.mtime, stats.mtime);
      return fileId(stats);
    } finally {
      await handle.close();
    }
  }

  /** Put the packed form in the place of the file that it was made of, wherever that is now. */
  async settlePart(original: FileId): Promise<void> {
    for (const file of await this.files.rotated()) {
      const path = `${this.files.path}.${file.number}`;
      const found = file.plain ? await stat(path, { bigint: true }).catch(() => undefined) : undefined;
      if (found === undefined || fileId(found) !== original) continue;
      await rename(this.#partPath, `${path}${PACKED}`);
      await rm(path);
      return;
    }
    await rm(this.#partPath, { force: true });
  }

  get #partPath(): string {
    return `${this.files.path}.part`;
  }

  get #trimPath(): string {
    return `${this.files.path}.trim`;
  }

  async #cut(path: string, bytes: number): Promise<void> {
    const source = await open(path, 'r');
    try {
      const target = await open(this.#trimPath, 'w', 0o640);
      try {
        await copyLastLines(source, target, bytes);
        await target.sync();
      } finally {
        await target.close();
      }
      await rename(this.#trimPath, path);
    } finally {
      await source.close();
    }
  }
}

async function copyLastLines(source: FileHandle, target: FileHandle, bytes: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(COPY_BYTES);
  let position = Math.max(0, (await source.stat()).size - bytes);
  let isInLine = position > 0;
  while (true) {
    const { bytesRead } = await source.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    let block = buffer.subarray(0, bytesRead);
    if (isInLine) {
      const start = block.indexOf(NEWLINE) + 1;
      if (start === 0) continue;
      isInLine = false;
      block = block.subarray(start);
    }
    await target.write(block);
  }
}

/** When the last whole line was written. */
async function lastTime(file: FileHandle): Promise<bigint | undefined> {
  const { size } = await file.stat();
  const from = Math.max(0, size - LAST_LINE_BYTES);
  const buffer = Buffer.alloc(size - from);
  await file.read(buffer, 0, buffer.length, from);
  const end = buffer.lastIndexOf(NEWLINE);
  const start = end <= 0 ? 0 : buffer.lastIndexOf(NEWLINE, end - 1) + 1;
  return end < 0 ? undefined : journalTime(buffer, start, end);
}

async function openOrAbsent(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
