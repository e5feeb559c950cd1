import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';

/** Not removed until it is released. */
export interface HeldFolder {
  path: string;
  release: () => Promise<void>;
}

/** A folder as it is just now. */
export interface ListedFolder {
  name: string;
  path: string;
  createdMs: number;
  lastUsedMs: number;
  inUse: boolean;
}

/** Begins the names of what isn't whole, or no more. */
const PASSING = '.new-';

/** Folders of fetched files, by name, each whole or not there. What somebody holds stays; the rest may be removed. */
export class HeldFolders {
  readonly #root: string;
  readonly #holders = new Map<string, number>();
  /** Of what is being removed: until its name is free. */
  readonly #leaving = new Map<string, Promise<void>>();

  constructor(root: string) {
    this.#root = root;
  }

  path(name: string): string {
    return join(this.#root, name);
  }

  /** Hold the folder `name`; undefined where it isn't there. */
  async hold(name: string): Promise<HeldFolder | undefined> {
    for (let gone = this.#leaving.get(name); gone !== undefined; gone = this.#leaving.get(name))
      await gone.catch(() => undefined);
    const held = this.#held(name);
    try {
      const now = new Date();
      await utimes(held.path, now, now);
      return held;
    } catch (error) {
      await held.release();
      if (errnoCodeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /**
   * Make a folder by filling an empty one, and hold it. What fails leaves nothing. One of that name that is there already stays, and is held instead.
   *
   * @param fill resolves to the name that it shall have: names say what is in them. Two of one name are not made at once.
   */
  async make(fill: (directory: string) => Promise<string>): Promise<HeldFolder> {
    const temporary = this.path(PASSING + randomUUID());
    await mkdir(temporary, { recursive: true, mode: 0o700 });
    try {
      const name = await fill(temporary);
      const present = await this.hold(name);
      if (present !== undefined) {
        await rm(temporary, { recursive: true, force: true });
        return present;
      }
      const held = this.#held(name);
      try {
        await rename(temporary, held.path);
      } catch (error) {
        await held.release();
        throw error;
      }
      return held;
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
  }

  /** Remove what an earlier process left unfinished. */
  async recover(): Promise<void> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#root))
      if (name.startsWith(PASSING)) await rm(this.path(name), { recursive: true, force: true });
  }

  async list(): Promise<ListedFolder[]> {
    const found: ListedFolder[] = [];
    for (const name of await readdir(this.#root)) {
      if (name.startsWith(PASSING)) continue;
      const path = this.path(name);
      const info = await stat(path).catch(() => undefined);
      const inUse = (this.#holders.get(name) ?? 0) > 0;
      if (info?.isDirectory() === true)
        found.push({ name, path, createdMs: info.birthtimeMs, lastUsedMs: info.mtimeMs, inUse });
    }
    return found;
  }

  /** Absent is fine. @throws EngineError "conflict" for one that is held. */
  async remove(name: string): Promise<void> {
    if ((this.#holders.get(name) ?? 0) > 0) throw new EngineError('conflict', `Folder ${name} is in use`);
    const temporary = this.path(PASSING + randomUUID());
    // Away under another name first: who comes meanwhile finds nothing, not half of it.
    const leaving = rename(this.path(name), temporary);
    this.#leaving.set(name, leaving);
    try {
      await leaving;
    } catch (error) {
      if (errnoCodeOf(error) !== 'ENOENT') throw error;
    } finally {
      this.#leaving.delete(name);
    }
    await rm(temporary, { recursive: true, force: true });
  }

  #held(name: string): HeldFolder {
    this.#count(name, 1);
    return { path: this.path(name), release: once(() => this.#count(name, -1)) };
  }

  #count(name: string, change: number): void {
    const holders = (this.#holders.get(name) ?? 0) + change;
    if (holders > 0) this.#holders.set(name, holders);
    else this.#holders.delete(name);
  }
}

function once(action: () => void): () => Promise<void> {
  let isDone = false;
  return async () => {
    if (!isDone) action();
    isDone = true;
  };
}
