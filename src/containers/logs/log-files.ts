import { readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import { type FileId, fileId } from './file-id.ts';
import { JournalFile } from './journal-file.ts';
import { PACKED } from './packed-journal.ts';

/** A file that a rotation has moved away: `path.<number>`, or the same packed. */
export interface RotatedFile {
  number: number;
  /** Whether the file as it was written is there; it counts, should a packed one lie beside it. */
  plain: boolean;
  packed: boolean;
}

/**
 * The files of one journal. The monitor writes to the one at `path`; a rotation moves that to `path.1`, what was there to `path.2` and so on,
 * and has the monitor begin `path` anew. Readers tell them apart by their ids, which a rename keeps and a packed file remembers.
 */
export class LogFiles {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  get directory(): string {
    return dirname(this.path);
  }

  /** Of the file that is written to; undefined where there is none. */
  async liveId(): Promise<FileId | undefined> {
    return await idOf(this.path);
  }

  /** The newest first. */
  async rotated(): Promise<RotatedFile[]> {
    const prefix = `${basename(this.path)}.`;
    const found = new Map<number, RotatedFile>();
    for (const name of await this.#names()) {
      const match = name.startsWith(prefix) ? /^([1-9]\d*)(\.gz)?$/.exec(name.slice(prefix.length)) : null;
      if (match === null) continue;
      const number = Number(match[1]);
      const file = found.get(number) ?? { number, plain: false, packed: false };
      if (match[2] === undefined) file.plain = true;
      else file.packed = true;
      found.set(number, file);
    }
    return [...found.values()].sort((a, b) => a.number - b.number);
  }

  pathOf({ number, plain }: RotatedFile): string {
    return `${this.path}.${number}${plain ? '' : PACKED}`;
  }

  /** All there are, oldest first; the caller closes them. As they were at one moment: what a rotation moved meanwhile is looked for again. */
  async open(): Promise<JournalFile[]> {
    while (true) {
      const files: JournalFile[] = [];
      try {
        const paths = await this.#paths();
        const before = await this.#identities(paths);
        for (const path of paths) {
          const file = await JournalFile.open(path);
          if (file !== undefined) files.push(file);
        }
        const after = await this.#identities(await this.#paths());
        if (before.join() === after.join()) return files.splice(0);
      } finally {
        for (const file of files) await file.close();
      }
    }
  }

  async #names(): Promise<string[]> {
    return await readdir(this.directory).catch((error: unknown) => {
      if (errnoCodeOf(error) === 'ENOENT') return [];
      throw error;
    });
  }

  /** Oldest first. */
  async #paths(): Promise<string[]> {
    const rotated = await this.rotated();
    return [...rotated.reverse().map((file) => this.pathOf(file)), this.path];
  }

  /** Which file bears which name: a rotation without a new file yet changes the names alone. */
  async #identities(paths: readonly string[]): Promise<string[]> {
    return await Promise.all(paths.map(async (path) => `${path} ${await idOf(path)}`));
  }
}

async function idOf(path: string): Promise<FileId | undefined> {
  return await stat(path, { bigint: true }).then(fileId, (error: unknown) => {
    if (errnoCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
}
