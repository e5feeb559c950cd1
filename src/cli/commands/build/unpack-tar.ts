import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { TarEntry } from '../../../archive/entry.ts';
import { TarReader } from '../../../archive/tar-reader.ts';
import { EngineError } from '../../../errors/engine-error.ts';

/**
 * Unpack a tar into a directory as the user that we are: files, directories, links, times, modes without set-id bits. Devices and pipes are
 * left out. Nothing is written through a link, wherever one leads.
 *
 * @throws EngineError "invalid" for a hostile archive.
 */
export async function unpackTar(archive: AsyncIterable<Uint8Array>, target: string): Promise<void> {
  const unpacker = new Unpacker(target);
  const reader = new TarReader({
    entry: (entry) => unpacker.begin(entry),
    data: (chunk) => unpacker.data(chunk),
    endEntry: () => unpacker.end(),
  });
  try {
    for await (const chunk of archive) reader.write(chunk);
    reader.finish();
    unpacker.finish();
  } finally {
    unpacker.close();
  }
}

class Unpacker {
  readonly #root: string;
  /** Directories get their mode and times last, deepest first: one may be closed to us. */
  readonly #directories = new Map<string, TarEntry>();
  #file: number | undefined;
  #entry: TarEntry | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  begin(entry: TarEntry): void {
    this.#entry = entry;
    if (entry.path === '') return;
    const path = this.#placeFor(entry.path);
    if (entry.type === 'directory') return this.#directory(path, entry);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found !== undefined) rmSync(path, { recursive: true, force: true });
    if (entry.type === 'file') {
      if (entry.sparse !== undefined)
        throw new EngineError('invalid', `sparse file in the output: ${entry.path}`);
      this.#file = openSync(path, 'wx', 0o600);
    } else if (entry.type === 'symlink') {
      symlinkSync(entry.linkTarget ?? '', path);
      lutimesSync(path, entry.mtimeSeconds, entry.mtimeSeconds);
    } else if (entry.type === 'hardlink') linkSync(this.#placeFor(entry.linkTarget ?? ''), path);
  }

  data(chunk: Uint8Array): void {
    if (this.#file === undefined) return;
    for (let at = 0; at < chunk.length; ) at += writeSync(this.#file, chunk, at);
  }

  end(): void {
    const entry = this.#entry;
    if (this.#file === undefined || entry === undefined) return;
    this.close();
    const path = this.#placeFor(entry.path);
    chmodSync(path, entry.mode & 0o777);
    utimesSync(path, entry.mtimeSeconds, entry.mtimeSeconds);
  }

  finish(): void {
    for (const [path, entry] of [...this.#directories].reverse()) {
      chmodSync(path, entry.mode & 0o1777);
      utimesSync(path, entry.mtimeSeconds, entry.mtimeSeconds);
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #directory(path: string, entry: TarEntry): void {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory() !== true) {
      if (found !== undefined) rmSync(path, { force: true });
      mkdirSync(path, { mode: 0o700 });
    }
    this.#directories.set(path, entry);
  }

  /** Where a member goes; every directory above it is one, and no link. */
  #placeFor(path: string): string {
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.includes('..'))
      throw new EngineError('invalid', `hostile path in the output: ${path}`, { code: 'archive-hostile' });
    let folder = this.#root;
    for (const part of parts.slice(0, -1)) {
      folder = join(folder, part);
      const found = lstatSync(folder, { throwIfNoEntry: false });
      if (found === undefined) mkdirSync(folder);
      else if (!found.isDirectory())
        throw new EngineError('invalid', `Cannot write ${path}: ${dirname(path)} is no directory`);
    }
    return join(folder, parts.at(-1) ?? '');
  }
}
