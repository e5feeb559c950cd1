import { readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import { JournalFile } from './journal-file.ts';

/**
 * The files of one journal. The monitor writes to the one at `path`; a rotation moves that to `path.1`, what was there to `path.2` and so on,
 * and has the monitor begin `path` anew. Readers tell them apart by inode, which a rename keeps.
 */
export class LogFiles {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  get directory(): string {
    return dirname(this.#path);
  }

  /** Of the file that is written to; undefined where there is none. */
  async liveInode(): Promise<bigint | undefined> {
    return await inodeOf(this.#path);
  }

  /** All there are, oldest first; the caller closes them. As they were at one moment: what a rotation moved meanwhile is looked for again. */
  async open(): Promise<JournalFile[]> {
    while (true) {
      const files: JournalFile[] = [];
      try {
        for (const path of await this.#paths()) {
          const file = await JournalFile.open(path);
          if (file !== undefined) files.push(file);
        }
        const present = await Promise.all((await this.#paths()).map(inodeOf));
        const opened = files.map(({ inode }) => inode);
        if (present.filter((inode) => inode !== undefined).join() === opened.join()) return files.splice(0);
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
    const prefix = `${basename(this.#path)}.`;
    const numbers = (await this.#names())
      .filter((name) => name.startsWith(prefix) && /^[1-9][0-9]*$/.test(name.slice(prefix.length)))
      .map((name) => Number(name.slice(prefix.length)));
    return [...numbers.sort((a, b) => b - a).map((number) => `${this.#path}.${number}`), this.#path];
  }
}

async function inodeOf(path: string): Promise<bigint | undefined> {
  return await stat(path, { bigint: true }).then(
    ({ ino }) => ino,
    (error: unknown) => {
      if (errnoCodeOf(error) === 'ENOENT') return undefined;
      throw error;
    },
  );
}
