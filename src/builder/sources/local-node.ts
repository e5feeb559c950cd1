import { closeSync, constants, readdirSync, readlinkSync, readSync } from 'node:fs';
import { decodePath, encodePath } from '../../archive/path-bytes.ts';
import type { FileType, NodeAttributes } from '../../archive/tree.ts';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import { errno } from '../../sys/errno.ts';
import { SyscallError } from '../../sys/libc.ts';
import { Opener, RESOLVE } from '../../sys/openat2.ts';
import { type FileStat, StatReader } from '../../sys/stat-at.ts';
import type { ContentStamp, FileNode, OpenContent } from './file-node.ts';
import { isSameStamp } from './same-stamp.ts';

/** Directories below that are open at a time: a walk is as deep at once. */
const MAX_OPEN = 48;
const TYPE_BITS = 0o170000;
const TYPES: Readonly<Record<number, FileType>> = {
  0o100000: 'file',
  0o040000: 'directory',
  0o120000: 'symlink',
  0o010000: 'fifo',
};
const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map();
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** No link is followed, no mount entered. */
const RESOLVE_HERE = RESOLVE.beneath | RESOLVE.noSymlinks | RESOLVE.noMagicLinks | RESOLVE.noXdev;
const MAX_PATH_BYTES = 4096;

/** A client's directory, open in this thread. */
export class LocalRoot {
  readonly stats = new StatReader();
  readonly stat: FileStat;
  /** All that is looked at below stays as it was seen first, for as long as this is open. */
  readonly node: FileNode;
  readonly #fd: number;
  readonly #files = new Opener({ flags: FLAGS, resolve: RESOLVE_HERE });
  readonly #directories = new Opener({ flags: FLAGS | constants.O_DIRECTORY, resolve: RESOLVE_HERE });
  readonly #place = Buffer.alloc(MAX_PATH_BYTES);
  /** By path, least recently used first. */
  readonly #open = new Map<string, number>();

  /** Takes the descriptor `fd`. */
  constructor(fd: number) {
    this.#fd = fd;
    this.stat = this.stats.of(fd);
    this.node = new LocalNode(this, '', this.stat);
  }

  /** A descriptor of the directory `path`, good until the next call. @throws EngineError, code "context-changed", where it is none any more. */
  directory(path: string): number {
    if (path === '') return this.#fd;
    const known = this.#open.get(path);
    if (known !== undefined) {
      this.#open.delete(path);
      this.#open.set(path, known);
      return known;
    }
    const fd = this.#openAt(this.#directories, { directory: this.#fd, path, shown: path });
    for (const [oldest, one] of this.#open) {
      if (this.#open.size < MAX_OPEN) break;
      this.#open.delete(oldest);
      closeSync(one);
    }
    this.#open.set(path, fd);
    return fd;
  }

  /** A descriptor of the file `path`, the caller's to close. @throws as `directory`. */
  file(path: string): number {
    const slash = path.lastIndexOf('/');
    const directory = this.directory(slash === -1 ? '' : path.slice(0, slash));
    return this.#openAt(this.#files, { directory, path: path.slice(slash + 1), shown: path });
  }

  #openAt(
    opener: Opener,
    { directory, path, shown }: { directory: number; path: string; shown: string },
  ): number {
    const bytes = path.isWellFormed() ? path : encodePath(path);
    if (bytes.length * 3 >= MAX_PATH_BYTES && encodePath(path).length >= MAX_PATH_BYTES)
      throw new EngineError('invalid', `can't open ${shown}: ENAMETOOLONG`);
    const length = typeof bytes === 'string' ? this.#place.write(bytes) : bytes.copy(this.#place);
    this.#place[length] = 0;
    try {
      return opener.open(directory, this.#place);
    } catch (error) {
      if (error instanceof SyscallError && REPLACED.has(error.errno)) throw contextChanged(shown);
      throw new EngineError('invalid', `can't open ${shown}: ${reasonOf(error)}`, { cause: error });
    }
  }

  close(): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
    closeSync(this.#fd);
  }
}

/**
 * A node of a client's directory on this machine, with what a context carries: owner root, permissions, times in seconds; no xattrs, and
 * neither sockets nor devices. Every look and every open goes by an open directory's descriptor, and none follows a link or enters a mount: whoever
 * changes the tree meanwhile can make the build fail, and never lead it elsewhere.
 */
class LocalNode implements FileNode {
  readonly #root: LocalRoot;
  readonly #path: string;
  readonly #stat: FileStat;
  #names: readonly string[] | undefined;
  readonly #children = new Map<string, LocalNode | undefined>();

  constructor(root: LocalRoot, path: string, stat: FileStat) {
    this.#root = root;
    this.#path = path;
    this.#stat = stat;
  }

  get key(): string {
    return `${this.#stat.device}:${this.#stat.inode}`;
  }

  get type(): FileType {
    return TYPES[this.#stat.mode & TYPE_BITS] ?? 'socket';
  }

  get size(): number {
    return this.type === 'file' ? Number(this.#stat.size) : 0;
  }

  get links(): number {
    return this.#stat.links;
  }

  attributes(): NodeAttributes {
    const { type } = this;
    return {
      type,
      mode: this.#stat.mode & 0o7777,
      uid: 0,
      gid: 0,
      mtimeSeconds: Math.floor(Number(this.#stat.mtimeNs / 1_000_000n) / 1000),
      mtimeNanoseconds: 0,
      size: type === 'file' || type === 'symlink' ? Number(this.#stat.size) : 0,
      links: this.#stat.links,
      ...(type === 'symlink' ? { linkTarget: this.#linkTarget() } : {}),
      xattrs: NO_XATTRS,
    };
  }

  names(): readonly string[] {
    if (this.type !== 'directory') return [];
    this.#names ??= this.#readNames();
    return this.#names;
  }

  #readNames(): string[] {
    try {
      const names = readdirSync(`/proc/self/fd/${this.#root.directory(this.#path)}`, { encoding: 'buffer' });
      return names.sort((a, b) => Buffer.compare(a, b)).map(decodePath);
    } catch (error) {
      if (error instanceof EngineError) throw error;
      const shown = this.#path === '' ? 'the context' : this.#path;
      throw new EngineError('invalid', `can't read ${shown}: ${reasonOf(error)}`, { cause: error });
    }
  }

  child(name: string): FileNode | undefined {
    if (this.type !== 'directory') return undefined;
    const known = this.#children.get(name);
    if (known !== undefined || this.#children.has(name)) return known;
    const child = this.#look(name);
    this.#children.set(name, child);
    return child;
  }

  #look(name: string): LocalNode | undefined {
    const directory = this.#root.directory(this.#path);
    const stat = this.#root.stats.at(directory, name.isWellFormed() ? name : encodePath(name));
    if (stat === undefined || TYPES[stat.mode & TYPE_BITS] === undefined) return undefined;
    const path = this.#path === '' ? name : `${this.#path}/${name}`;
    if (stat.mountId !== this.#root.stat.mountId) throw contextChanged(path);
    return new LocalNode(this.#root, path, stat);
  }

  /** `close` throws unless what was read is what was looked at. */
  open(): OpenContent {
    const fd = this.#root.file(this.#path);
    return {
      read: (buffer, at, length, position) => readSync(fd, buffer, at, length, position),
      close: () => {
        try {
          if (!isSameStamp(this.#root.stats.of(fd), this.#stat)) throw contextChanged(this.#path);
        } finally {
          closeSync(fd);
        }
      },
    };
  }

  stamp(): ContentStamp {
    return this.#stat;
  }

  #linkTarget(): string {
    const slash = this.#path.lastIndexOf('/');
    const directory = this.#root.directory(slash === -1 ? '' : this.#path.slice(0, slash));
    const place = Buffer.concat([
      Buffer.from(`/proc/self/fd/${directory}/`),
      encodePath(this.#path.slice(slash + 1)),
    ]);
    try {
      return decodePath(readlinkSync(place, { encoding: 'buffer' }));
    } catch (error) {
      const code = errnoCodeOf(error);
      if (code === 'ENOENT' || code === 'EINVAL') throw contextChanged(this.#path);
      throw error;
    }
  }
}

/** The client sends the context as an archive then. */
export function contextChanged(path: string): EngineError {
  return new EngineError(
    'invalid',
    `Cannot read ${JSON.stringify(`/${path}`)} of the build context: it changed while it was read`,
    { code: 'context-changed', hint: 'Build again when nothing writes to the context.' },
  );
}

function reasonOf(error: unknown): string {
  return errnoCodeOf(error) ?? (error instanceof Error ? error.message : String(error));
}

/** A link in the way, a mount, or nothing, or no directory: none of which was there a moment ago. */
const REPLACED = new Set<number>([errno.ELOOP, errno.EXDEV, errno.ENOENT, errno.ENOTDIR, errno.EAGAIN]);
