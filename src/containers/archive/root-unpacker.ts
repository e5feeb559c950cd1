import type { BigIntStats } from 'node:fs';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { posix } from 'node:path';
import { hostileArchive } from '../../archive/archive-error.ts';
import type { TarEntry } from '../../archive/entry.ts';
import { layerXattrs } from '../../archive/layer-role.ts';
import type { TarVisitor } from '../../archive/tar-reader.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { makeDirectories } from '../../snapshots/make-directories.ts';
import {
  fsPath,
  makeDevice,
  makeFifo,
  setTimes,
  setXattr,
  statNode,
} from '../../snapshots/node-attributes.ts';
import { errnoOf, fsTarget, SparseCursor, writeAll } from '../../snapshots/unpacked-file.ts';
import { type IdMap, type Ids, idsOnHost, rootOf } from '../../sys/id-map.ts';
import { xattrOnHost } from '../../sys/mapped-xattrs.ts';

export interface UnpackOptions {
  /** Refuse a directory in the place of a file, and the other way round. */
  keepKinds: boolean;
  /** Who gets everything, whatever the archive says. */
  owner: { uid: number; gid: number } | undefined;
  /** Of the container, where the archive's ids are not the host's. */
  idMap?: IdMap | undefined;
  /** Members at most. */
  limit?: number;
}

/** As many as an image's layer may have. */
const MAX_MEMBERS = 2_000_000;
const exclusive = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const directoryOnly = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Writes an archive's members below a directory, as Docker's copy into a container does: what is there is replaced, directories are joined, symlinks that
 * are on the way are followed, names of whiteouts mean nothing. Synchronous; for a process whose root is the container's, where no link leads out, and
 * whose umask is 0. Attributes go to what was opened, never through a link that somebody in the container has put in its place.
 */
export class RootUnpacker implements TarVisitor {
  readonly #base: string;
  readonly #options: UnpackOptions;
  readonly #directories = new Map<string, TarEntry>();
  #file: { fd: number; path: string; entry: TarEntry; sparse: SparseCursor | undefined } | undefined;
  #members = 0;

  constructor(base: string, options: UnpackOptions) {
    this.#base = base;
    this.#options = options;
  }

  entry(entry: TarEntry): void {
    if (++this.#members > (this.#options.limit ?? MAX_MEMBERS))
      throw hostileArchive(entry.path, 'archive has too many members');
    if (entry.path === '') return;
    const path = posix.join(this.#base, entry.path);
    this.#makeParents(entry.path);
    const there = statNode(path);
    if (there !== undefined && this.#stays(there, path, entry)) return this.#directory(path, entry);
    if (entry.type === 'directory') mkdirSync(fsPath(path), entry.mode & 0o777);
    this.#create(path, entry);
  }

  data(chunk: Uint8Array): void {
    const file = this.#file;
    if (file === undefined) return;
    if (file.sparse === undefined) writeAll(file.fd, chunk, null);
    else file.sparse.write(file.fd, chunk);
  }

  endEntry(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    try {
      if (file.sparse !== undefined) ftruncateSync(file.fd, file.sparse.realSize);
      this.#own(file.fd, file.entry);
    } finally {
      closeSync(file.fd);
    }
    this.#timesAndXattrs(file.path, file.entry);
  }

  /** Give directories the times that their members have disturbed. Call it once, after the last member. */
  finish(): void {
    for (const [path, { mtimeSeconds, mtimeNanoseconds }] of this.#directories) {
      if (statNode(path)?.isDirectory() === true) setTimes(path, mtimeSeconds, mtimeNanoseconds);
    }
  }

  #makeParents(path: string): void {
    const slash = path.lastIndexOf('/');
    if (slash === -1) return;
    const { idMap } = this.#options;
    makeDirectories(
      posix.join(this.#base, path.slice(0, slash)),
      idMap === undefined ? undefined : rootOf(idMap),
    );
  }

  /** Whether a directory is joined with what is there; anything else has been taken away. */
  #stays(there: BigIntStats, path: string, entry: TarEntry): boolean {
    const [was, becomes] = [there.isDirectory(), entry.type === 'directory'];
    if (was && becomes) return true;
    if (was !== becomes && this.#options.keepKinds) throw otherKind(entry, this.#base, was);
    if (was && lstatSync(fsPath(posix.dirname(path)), { bigint: true }).dev !== there.dev)
      throw new EngineError('internal', `unlinkat ${path}: device or resource busy`);
    rmSync(fsPath(path), { recursive: true, force: true });
    this.#directories.delete(path);
    return false;
  }

  #create(path: string, entry: TarEntry): void {
    const { deviceMajor: major, deviceMinor: minor } = entry;
    switch (entry.type) {
      case 'directory':
        return this.#directory(path, entry);
      case 'file': {
        const fd = openSync(fsPath(path), exclusive, entry.mode & 0o777);
        const sparse = entry.sparse === undefined ? undefined : new SparseCursor(entry.sparse);
        this.#file = { fd, path, entry, sparse };
        return;
      }
      case 'hardlink':
        return this.#link(path, entry);
      case 'symlink':
        symlinkSync(fsTarget(entry.linkTarget), fsPath(path));
        break;
      case 'char':
      case 'block':
        makeDevice(path, { type: entry.type, mode: entry.mode, major, minor });
        break;
      case 'fifo':
        makeFifo(path, entry.mode);
        break;
      case 'socket':
        throw hostileArchive(entry.path, 'cannot unpack a socket');
    }
    const { uid, gid } = this.#ownerOf(entry);
    if (uid !== 0 || gid !== 0) lchownSync(fsPath(path), uid, gid);
    this.#timesAndXattrs(path, entry);
  }

  /** Its attributes are those of its target. */
  #link(path: string, entry: TarEntry): void {
    const target = posix.join(this.#base, entry.linkTarget);
    try {
      linkSync(fsPath(target), fsPath(path));
    } catch (error) {
      // A link to itself has just been taken away, or the target has not come.
      if (errnoOf(error) !== 'ENOENT') throw error;
      throw hostileArchive(
        entry.path,
        `hard link to ${JSON.stringify(entry.linkTarget)}, which is not there`,
      );
    }
  }

  #directory(path: string, entry: TarEntry): void {
    const fd = openSync(fsPath(path), directoryOnly);
    try {
      this.#own(fd, entry);
    } finally {
      closeSync(fd);
    }
    this.#setXattrs(path, entry);
    this.#directories.set(path, entry);
  }

  /** Owner first: it clears set-id bits. */
  #own(fd: number, entry: TarEntry): void {
    const { uid, gid } = this.#ownerOf(entry);
    fchownSync(fd, uid, gid);
    fchmodSync(fd, entry.mode);
  }

  #ownerOf(entry: TarEntry): Ids {
    const { owner = entry, idMap } = this.#options;
    if (idMap === undefined) return owner;
    const onHost = idsOnHost(idMap, owner);
    if (onHost !== undefined) return onHost;
    const id = idsOnHost(idMap, { uid: owner.uid, gid: 0 }) === undefined ? owner.uid : owner.gid;
    throw new EngineError('invalid', `container ID ${id} cannot be mapped to a host ID`);
  }

  #setXattrs(path: string, entry: TarEntry): void {
    const { idMap } = this.#options;
    for (const [name, value] of layerXattrs(entry.xattrs))
      setXattr(path, name, idMap === undefined ? value : xattrOnHost(name, value, idMap));
  }

  #timesAndXattrs(path: string, entry: TarEntry): void {
    this.#setXattrs(path, entry);
    setTimes(path, entry.mtimeSeconds, entry.mtimeNanoseconds);
  }
}

function otherKind({ path }: TarEntry, base: string, wasDirectory: boolean): EngineError {
  const [was, becomes] = wasDirectory ? ['directory', 'non-directory'] : ['non-directory', 'directory'];
  const names = `${was} ${JSON.stringify(path)} with ${becomes} ${JSON.stringify(base)}`;
  return new EngineError('internal', `cannot overwrite ${names}`);
}
