import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoCodeOf } from '../../errors/engine-error.ts';

/**
 * Folders of fetched files, by name, each whole or not there. What somebody holds stays; the rest may be collected, least recently used first.
 */
export class HeldFolders {
  readonly #root: string;
  readonly #holders = new Map<string, number>();

  constructor(root: string) {
    this.#root = root;
  }

  path(name: string): string {
    return join(this.#root, name);
  }

  /** Hold the folder `name`; undefined where it isn't there. */
  async hold(name: string): Promise<{ path: string; release: () => Promise<void> } | undefined> {
    this.#count(name, 1);
    const path = this.path(name);
    const release = once(() => this.#count(name, -1));
    try {
      const now = new Date();
      await utimes(path, now, now);
      return { path, release };
    } catch (error) {
      await release();
      if (errnoCodeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Make the folder `name` by filling an empty one, and hold it. What fails leaves nothing. */
  async make(
    name: string,
    fill: (directory: string) => Promise<void>,
  ): Promise<{ path: string; release: () => Promise<void> }> {
    const temporary = this.path(`.new-${randomUUID()}`);
    await mkdir(temporary, { recursive: true, mode: 0o700 });
    try {
      await fill(temporary);
      await rm(this.path(name), { recursive: true, force: true });
      await rename(temporary, this.path(name));
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
    const held = await this.hold(name);
    if (held === undefined) throw new TypeError(`folder ${name} went away`);
    return held;
  }

  /** Give the folder `from`, which nobody holds, the name `to`, and hold it. */
  async take(from: string, to: string): Promise<{ path: string; release: () => Promise<void> }> {
    await rename(this.path(from), this.path(to));
    const held = await this.hold(to);
    if (held === undefined) throw new TypeError(`folder ${to} went away`);
    return held;
  }

  /** Remove what an earlier process left unfinished. */
  async recover(): Promise<void> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#root))
      if (name.startsWith('.new-')) await rm(this.path(name), { recursive: true, force: true });
  }

  /** Remove all that nobody holds and was last used before `beforeMs`. */
  async collect(beforeMs: number): Promise<void> {
    for (const name of await readdir(this.#root)) {
      const isFolder = (await stat(this.path(name)).catch(() => undefined))?.isDirectory() === true;
      if (!isFolder || name.startsWith('.new-') || (this.#holders.get(name) ?? 0) > 0) continue;
      const { mtimeMs } = await stat(this.path(name));
      if (mtimeMs < beforeMs) await rm(this.path(name), { recursive: true, force: true });
    }
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
