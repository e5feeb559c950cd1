import { closeSync, openSync } from 'node:fs';
import { fsPath } from '../../snapshots/node-attributes.ts';

const MAX_OPEN = 64;

/** Files that are read again and again, kept open: tars of layers and contexts. */
export class OpenFiles {
  readonly #open = new Map<string, number>();

  /** Good until the next call. */
  get(path: string): number {
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    if (this.#open.size >= MAX_OPEN) this.close();
    const fd = openSync(fsPath(path), 'r');
    this.#open.set(path, fd);
    return fd;
  }

  /** A descriptor that this closes as well. */
  adopt(name: string, fd: number): void {
    this.#open.set(name, fd);
  }

  close(): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }
}
