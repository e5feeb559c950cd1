import type { Stats } from 'node:fs';
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { hostileArchive } from '../../../../archive/archive-error.ts';
import type { TarEntry } from '../../../../archive/entry.ts';
import { encodePath } from '../../../../archive/path-bytes.ts';
import type { TarVisitor } from '../../../../archive/tar-reader.ts';
import { EngineError } from '../../../../errors/engine-error.ts';
import { checked, libc } from '../../../../sys/libc.ts';
import type { PlaceOfCopy } from './place-of-copy.ts';

const exclusive = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Writes what came out of a container to its place on this machine, as the user who runs this. A container makes its files as it likes: below the place, no
 * symlink is followed, whether it came with the archive or was there.
 */
export class LocalUnpacker implements TarVisitor {
  readonly #place: PlaceOfCopy;
  /** The first part of all members' names; '': they begin below it. */
  readonly #source: string;
  /** Found to be directories, and no links. */
  readonly #safe = new Set<string>();
  readonly #directories = new Map<string, TarEntry>();
  #file: { fd: number; path: string; entry: TarEntry; segment: number; done: number } | undefined;

  /** `source`: what the archive calls the node that goes to `place`; `.` or `/` for a directory whose content it is. */
  constructor(place: PlaceOfCopy, source: string) {
    this.#place = place;
    this.#source = source === '.' || source === '/' ? '' : source;
  }

  entry(entry: TarEntry): void {
    const path = this.#local(entry.path);
    if (path === undefined) return;
    this.#makeParents(path);
    const there = lstatSync(fsPath(path), { throwIfNoEntry: false });
    if (there?.isDirectory() === true && entry.type === 'directory') return this.#keep(path, entry);
    if (there !== undefined) this.#clear(path, there, entry);
    this.#create(path, entry);
  }

  data(chunk: Uint8Array): void {
    const file = this.#file;
    if (file === undefined) return;
    const segments = file.entry.sparse?.segments;
    for (let at = 0; at < chunk.length; ) {
      const segment = segments?.[file.segment];
      const length =
        segment === undefined ? chunk.length - at : Math.min(segment.length - file.done, chunk.length - at);
      const written = writeSync(
        file.fd,
        chunk,
        at,
        length,
        segment === undefined ? null : segment.offset + file.done,
      );
      at += written;
      file.done += written;
      if (segment === undefined || file.done < segment.length) continue;
      file.segment++;
      file.done = 0;
    }
  }

  endEntry(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    try {
      if (file.entry.sparse !== undefined) ftruncateSync(file.fd, file.entry.sparse.realSize);
      fchmodSync(file.fd, file.entry.mode);
    } finally {
      closeSync(file.fd);
    }
    setTime(file.path, file.entry);
  }

  /** Modes and times of directories, which would have stood in their members' way. Call it once, after the last member. */
  finish(): void {
    for (const [path, entry] of [...this.#directories].reverse()) {
      chmodSync(fsPath(path), entry.mode);
      setTime(path, entry);
    }
  }

  /** Undefined: the directory itself whose content this is. */
  #local(member: string): string | undefined {
    const rest = this.#below(member);
    const { directory, name } = this.#place;
    if (rest === '' && name === '.') return undefined;
    return join(directory, name, rest);
  }

  #below(member: string): string {
    if (this.#source === '') return member;
    if (member === this.#source) return '';
    if (member.startsWith(`${this.#source}/`)) return member.slice(this.#source.length + 1);
    throw hostileArchive(member, `it is not what was asked for, ${JSON.stringify(this.#source)}`);
  }

  #makeParents(path: string): void {
    const base = resolve(this.#place.directory);
    const below = path
      .slice(base === '/' ? 0 : base.length)
      .split('/')
      .slice(1, -1);
    let at = base === '/' ? '' : base;
    for (const part of below) {
      at = `${at}/${part}`;
      if (this.#safe.has(at)) continue;
      const there = lstatSync(fsPath(at), { throwIfNoEntry: false });
      if (there === undefined) mkdirSync(fsPath(at), 0o755);
      else if (!there.isDirectory())
        throw hostileArchive(path, `${JSON.stringify(at)} is no directory, and links are not followed here`);
      this.#safe.add(at);
    }
  }

  /** Docker refuses a directory in the place of a file, and the other way round. */
  #clear(path: string, there: Stats, entry: TarEntry): void {
    const [was, becomes] = [there.isDirectory(), entry.type === 'directory'];
    const kinds = was ? ['directory', 'non-directory'] : ['non-directory', 'directory'];
    if (was !== becomes)
      throw new EngineError(
        'invalid',
        `cannot overwrite ${kinds[0]} ${JSON.stringify(path)} with ${kinds[1]} ${JSON.stringify(this.#place.directory)}`,
      );
    rmSync(fsPath(path), { force: true });
  }

  #create(path: string, entry: TarEntry): void {
    const name = fsPath(path);
    switch (entry.type) {
      case 'directory':
        mkdirSync(name, 0o700);
        return this.#keep(path, entry);
      case 'file':
        this.#file = { fd: openSync(name, exclusive, 0o600), path, entry, segment: 0, done: 0 };
        return;
      case 'hardlink': {
        const target = this.#local(entry.linkTarget);
        if (target === undefined) throw hostileArchive(entry.path, 'hard link to a directory');
        this.#makeParents(target);
        linkSync(fsPath(target), name);
        return;
      }
      case 'symlink':
        symlinkSync(fsPath(entry.linkTarget), name);
        return setTime(path, entry);
      case 'fifo':
        makeNode(path, 0o010000 | (entry.mode & 0o777), 0n);
        return setTime(path, entry);
      case 'char':
      case 'block':
        makeNode(
          path,
          (entry.type === 'char' ? 0o020000 : 0o060000) | (entry.mode & 0o777),
          deviceNumber(entry),
        );
        return setTime(path, entry);
      case 'socket':
        throw hostileArchive(entry.path, 'cannot unpack a socket');
    }
  }

  #keep(path: string, entry: TarEntry): void {
    this.#safe.add(path);
    this.#directories.set(path, entry);
  }
}

function setTime(path: string, { mtimeSeconds, mtimeNanoseconds }: TarEntry): void {
  const time = mtimeSeconds + mtimeNanoseconds / 1e9;
  lutimesSync(fsPath(path), time, time);
}

function makeNode(path: string, mode: number, device: bigint): void {
  const name = Buffer.concat([encodePath(path), Buffer.alloc(1)]);
  checked(libc.mknod(name, mode, device), 'mknod', `make ${path}`);
}

/** glibc's makedev. */
function deviceNumber({ deviceMajor, deviceMinor }: TarEntry): bigint {
  const [high, low] = [BigInt(deviceMajor), BigInt(deviceMinor)];
  return (
    ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn)
  );
}

function fsPath(path: string): string | Buffer {
  return path.isWellFormed() ? path : encodePath(path);
}
