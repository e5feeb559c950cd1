import type { BigIntStats } from 'node:fs';
import {
  chmodSync,
  closeSync,
  constants,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { hostileArchive } from '../../archive/archive-error.ts';
import type { TarEntry } from '../../archive/entry.ts';
import { layerRole, layerXattrs } from '../../archive/layer-role.ts';
import type { TarVisitor } from '../../archive/tar-reader.ts';
import { defaultLayerLimits } from '../../erofs/layer-builder.ts';
import {
  fsPath,
  isWhiteout,
  makeDevice,
  makeFifo,
  makeWhiteout,
  setTimes,
  setXattr,
  statNode,
} from '../node-attributes.ts';
import { errnoOf, fsTarget, SparseCursor, writeAll } from '../unpacked-file.ts';
import type { BelowPath } from './directory-resolver.ts';
import { DirectoryResolver } from './directory-resolver.ts';

/** What a layer's directory alone does not tell. Plain data. */
export interface UnpackedLayer {
  /** Directories that the layer has only because something lies in them, parents first; `''` is the root itself. */
  implied: BelowPath[];
  /** Removed names; `below`: the layers below may have something under it. */
  whiteouts: BelowPath[];
  /** The layer hides everything below it (`.wh..wh..opq` at the root), which overlayfs does not honour there. */
  opaqueRoot: boolean;
}

interface PendingLink {
  entry: TarEntry;
  /** A directory stood there then. */
  onDirectory: boolean;
}

interface OpenFile {
  fd: number;
  path: string;
  entry: TarEntry;
  sparse: SparseCursor | undefined;
}

const exclusive = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Writes a layer's members in overlayfs's form: whiteouts as 0/0 devices, opaque directories by xattr. Synchronous, and only for a
 * process whose `/` is the target and whose umask is 0: symlinks that members lie behind are resolved inside that root.
 *
 * A whiteout concerns the layers below only (OCI image spec): what the same layer has under that name stays, as an opaque directory if
 * it is one. The attributes of a hard link's member are those of its target's.
 */
export class LayerUnpacker implements TarVisitor {
  readonly #directories = new DirectoryResolver();
  /** Attributes that later members would disturb: applied at the end. */
  readonly #deferred = new Map<string, TarEntry>();
  /** Links whose target was not there yet, by their place, as long as no later member takes it. */
  readonly #pending = new Map<string, PendingLink>();
  readonly #whiteouts = new Set<string>();
  #file: OpenFile | undefined;
  #opaqueRoot = false;
  /** A set-gid directory gives its group, and to directories the bit, to what is made in it: then all must be set. */
  #inheriting = false;

  #entries = 0;
  readonly #limit: number;

  /** No marks of a layer: every name is a file's. */
  readonly #plain: boolean;

  constructor({ limit = defaultLayerLimits.nodes, plain = false } = {}) {
    this.#limit = limit;
    this.#plain = plain;
  }

  entry(entry: TarEntry): void {
    if (++this.#entries + this.#directories.made > this.#limit)
      throw hostileArchive(entry.path, `layer has more than ${this.#limit} files`);
    if (this.#plain) return this.#node(entry);
    const role = layerRole(entry);
    if (role.role === 'node') this.#node(entry);
    else if (role.role === 'whiteout') this.#whiteout(role.target);
    else if (role.role === 'opaque') this.#opaque(role.directory);
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
    } finally {
      closeSync(file.fd);
    }
    this.#attributes(file.path, file.entry);
  }

  /** Apply what had to wait. Call it once, after the last member. */
  finish(): UnpackedLayer {
    this.#settleLinks();
    for (const [path, entry] of this.#deferred) {
      const real = this.#absolute(path);
      for (const [name, value] of layerXattrs(entry.xattrs)) setXattr(real, name, value);
      setTimes(real, entry.mtimeSeconds, entry.mtimeNanoseconds);
    }
    return {
      implied: this.#directories.implied(),
      whiteouts: [...this.#whiteouts].map((path) => this.#directories.below(path)),
      opaqueRoot: this.#opaqueRoot,
    };
  }

  #absolute(path: string): string {
    return `/${path}`;
  }

  /** The member's place, with every directory on the way there. */
  #place(path: string): string {
    const slash = path.lastIndexOf('/');
    if (slash === -1) return path;
    const directory = this.#directories.resolve(path.slice(0, slash), path);
    return directory === '' ? path.slice(slash + 1) : `${directory}/${path.slice(slash + 1)}`;
  }

  #node(entry: TarEntry): void {
    if (entry.path === '') return this.#directory('', entry);
    if (entry.type === 'hardlink') return this.#hardLink(entry);
    const path = this.#place(entry.path);
    this.#taken(path);
    if (entry.type === 'directory') this.#directory(path, entry);
    else {
      this.#replacing(path, () => this.#create(path, entry));
      if (entry.type !== 'file') this.#attributes(this.#absolute(path), entry);
    }
  }

  /** Run `create`; where something stands in its way, remove that and run it again. */
  #replacing(path: string, create: () => void): void {
    try {
      create();
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      rmSync(fsPath(this.#absolute(path)), { recursive: true, force: true });
      this.#forget(path);
      create();
    }
  }

  #forget(path: string): void {
    this.#directories.forget(path);
    for (const paths of [this.#deferred, this.#whiteouts, this.#pending])
      for (const known of paths.keys())
        if (known === path || known.startsWith(`${path}/`)) paths.delete(known);
  }

  #create(path: string, entry: TarEntry): void {
    const real = this.#absolute(path);
    const mode = entry.mode & 0o777;
    const { deviceMajor: major, deviceMinor: minor } = entry;
    switch (entry.type) {
      case 'file':
        this.#openFile(real, entry);
        return;
      case 'symlink':
        symlinkSync(fsTarget(entry.linkTarget), fsPath(real));
        return;
      case 'char':
      case 'block':
        makeDevice(real, { type: entry.type, mode, major, minor });
        return;
      case 'fifo':
        makeFifo(real, mode);
        return;
      default:
        throw hostileArchive(entry.path, `cannot unpack a ${entry.type}`);
    }
  }

  #openFile(path: string, entry: TarEntry): void {
    const fd = openSync(fsPath(path), exclusive, entry.mode & 0o777);
    const sparse = entry.sparse === undefined ? undefined : new SparseCursor(entry.sparse);
    this.#file = { fd, path, entry, sparse };
  }

  #directory(path: string, entry: TarEntry): void {
    const real = this.#absolute(path);
    const made = path !== '' && this.#makeDirectory(path, entry.mode & 0o777);
    this.#directories.add(entry.path, path);
    if (!made || entry.uid !== 0 || entry.gid !== 0 || this.#inheriting)
      lchownSync(fsPath(real), entry.uid, entry.gid);
    if (!made || (entry.mode & 0o7000) !== 0 || this.#inheriting) chmodSync(fsPath(real), entry.mode);
    if ((entry.mode & 0o2000) !== 0) this.#inheriting = true;
    this.#deferred.set(path, entry);
  }

  /** False where one was there already. */
  #makeDirectory(path: string, mode: number): boolean {
    const real = this.#absolute(path);
    try {
      mkdirSync(fsPath(real), mode);
      return true;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    const found = statNode(real);
    if (found?.isDirectory() === true) return false;
    unlinkSync(fsPath(real));
    this.#forget(path);
    mkdirSync(fsPath(real), mode);
    // The name was removed and made anew: nothing of the layers below may show in it.
    if (found !== undefined && isWhiteout(found)) this.#directories.hide(path, { removed: true });
    return true;
  }

  #hardLink(entry: TarEntry): void {
    if (entry.linkTarget === entry.path) return;
    // Looked for first: making the way to the link's own place may put a directory there.
    const target = this.#linkTarget(entry);
    const path = this.#place(entry.path);
    this.#taken(path);
    if (target !== undefined) this.#link(path, entry, target);
    else this.#pending.set(path, { entry, onDirectory: this.#isDirectory(path) });
  }

  /** undefined while it is not there. The kernel resolves symlinks on the way, for which our `/` is the layer's root. */
  #linkTarget(entry: TarEntry): BigIntStats | undefined {
    const found = statNode(this.#absolute(entry.linkTarget));
    if (found === undefined || !(found.isDirectory() || isWhiteout(found))) return found;
    throw hostileArchive(entry.path, `hard link to ${JSON.stringify(entry.linkTarget)}, which is no file`);
  }

  #link(path: string, entry: TarEntry, target: BigIntStats): void {
    const real = this.#absolute(path);
    if (statNode(real)?.ino === target.ino) return;
    this.#replacing(path, () => linkSync(fsPath(this.#absolute(entry.linkTarget)), fsPath(real)));
  }

  /** Targets come later in the archive than these links: from the last to the first, links to links are found as well. */
  #settleLinks(): void {
    for (const [path, { entry, onDirectory }] of [...this.#pending].reverse()) {
      const slash = path.lastIndexOf('/');
      if (slash !== -1 && !this.#isDirectory(path.slice(0, slash))) continue;
      if (!onDirectory && this.#isDirectory(path)) continue;
      const target = this.#linkTarget(entry);
      if (target === undefined)
        throw hostileArchive(
          entry.path,
          `hard link to ${JSON.stringify(entry.linkTarget)}, which is not there`,
        );
      this.#link(path, entry, target);
    }
  }

  #isDirectory(path: string): boolean {
    return statNode(this.#absolute(path))?.isDirectory() === true;
  }

  /** A member stands at `path` now: a link that waits for its target there has lost. */
  #taken(path: string): void {
    if (this.#pending.size > 0) this.#pending.delete(path);
  }

  #whiteout(target: string): void {
    const path = this.#place(target);
    const real = this.#absolute(path);
    try {
      makeWhiteout(real);
      this.#whiteouts.add(path);
      this.#taken(path);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      if (statNode(real)?.isDirectory() !== true) return;
      this.#directories.hide(path, { removed: true });
    }
  }

  #opaque(directory: string): void {
    const path = this.#directories.resolve(directory, directory);
    if (path === '') this.#opaqueRoot = true;
    else this.#directories.hide(path, { removed: false });
  }

  /** Owner first (it clears set-id bits and capabilities), then mode, xattrs, times. */
  #attributes(path: string, entry: TarEntry): void {
    const name = fsPath(path);
    if (entry.uid !== 0 || entry.gid !== 0 || this.#inheriting) lchownSync(name, entry.uid, entry.gid);
    if (entry.type !== 'symlink' && ((entry.mode & 0o7000) !== 0 || this.#inheriting))
      chmodSync(name, entry.mode);
    for (const [key, value] of layerXattrs(entry.xattrs)) setXattr(path, key, value);
    setTimes(path, entry.mtimeSeconds, entry.mtimeNanoseconds);
  }
}
