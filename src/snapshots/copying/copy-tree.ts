import type { BigIntStats } from 'node:fs';
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { decodePath, encodePath } from '../../archive/path-bytes.ts';
import type { NodeAttributes } from '../../archive/tree.ts';
import { libc } from '../../sys/libc.ts';
import {
  fsPath,
  makeDevice,
  makeFifo,
  nodeAttributes,
  setTimes,
  setXattr,
  statNode,
} from '../node-attributes.ts';
import { isGone } from '../reading/root-walk.ts';

/** linux/fs.h */
const FICLONE = 0x40049409n;
const BUFFER_BYTES = 1 << 20;
const reading = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const writing = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Copies what is in one directory into another, empty one, with owners, modes, times, extended attributes, hard links, holes and devices, and the directory's own
 * attributes last. Synchronous, and only for a process that sees nothing else. What goes away meanwhile is left out, sockets are.
 */
export class TreeCopy {
  readonly #from: string;
  readonly #to: string;
  readonly #device: bigint;
  /** First copies of files with several names, by inode. */
  readonly #links = new Map<bigint, string>();
  /** Taken only when a file can't share its blocks. */
  #buffer: Buffer | undefined;
  #clones = true;

  constructor(from: string, to: string) {
    this.#from = from;
    this.#to = to;
    this.#device = statNode(from)?.dev ?? -1n;
  }

  run(): void {
    const todo = [{ path: '', names: this.#namesIn('') }];
    for (let top = todo.at(-1); top !== undefined; top = todo.at(-1)) {
      const name = top.names.pop();
      if (name === undefined) {
        todo.pop();
        this.#finish(top.path);
        continue;
      }
      const path = `${top.path}/${name}`;
      if (this.#copy(path)) todo.push({ path, names: this.#namesIn(path) });
    }
  }

  #namesIn(path: string): string[] {
    try {
      return readdirSync(fsPath(this.#from + path), { encoding: 'buffer' }).map(decodePath);
    } catch (error) {
      if (isGone(error)) return [];
      throw error;
    }
  }

  /** True for a directory, whose content follows. */
  #copy(path: string): boolean {
    try {
      const stat = statNode(this.#from + path);
      if (stat === undefined || stat.isSocket()) return false;
      if (stat.isDirectory()) {
        mkdirSync(fsPath(this.#to + path), 0o700);
        // A mount below is not part of it.
        return stat.dev === this.#device;
      }
      if (!this.#linked(path, stat)) this.#node(path, stat);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
    return false;
  }

  #linked(path: string, stat: BigIntStats): boolean {
    if (stat.nlink <= 1n) return false;
    const first = this.#links.get(stat.ino);
    if (first === undefined) return false;
    linkSync(fsPath(this.#to + first), fsPath(this.#to + path));
    return true;
  }

  #node(path: string, stat: BigIntStats): void {
    const to = this.#to + path;
    if (stat.isFile()) this.#file(path);
    const node = nodeAttributes(this.#from + path, stat);
    const { type, mode, linkTarget = '', deviceMajor: major = 0, deviceMinor: minor = 0 } = node;
    if (type === 'symlink')
      symlinkSync(linkTarget.isWellFormed() ? linkTarget : encodePath(linkTarget), fsPath(to));
    if (type === 'char' || type === 'block') makeDevice(to, { type, mode: mode & 0o777, major, minor });
    if (type === 'fifo') makeFifo(to, mode & 0o777);
    if (stat.nlink > 1n) this.#links.set(stat.ino, path);
    applyAttributes(to, node);
  }

  #finish(path: string): void {
    const stat = statNode(this.#from + path);
    if (stat?.isDirectory() === true)
      applyAttributes(this.#to + path, nodeAttributes(this.#from + path, stat));
  }

  #file(path: string): void {
    const source = openSync(fsPath(this.#from + path), reading);
    try {
      const stat = fstatSync(source);
      const target = openSync(fsPath(this.#to + path), writing, 0o600);
      try {
        if (stat.isFile() && stat.size > 0 && !this.#cloned(source, target)) this.#content(source, target);
      } finally {
        closeSync(target);
      }
    } finally {
      closeSync(source);
    }
  }

  /** The kernel says for the first file whether the two directories can share blocks. */
  #cloned(source: number, target: number): boolean {
    this.#clones &&= Number(libc.syscall(...ioctl(target, FICLONE, source))) === 0;
    return this.#clones;
  }

  /** To the file's end as it is now; runs of zeros stay holes. */
  #content(source: number, target: number): void {
    const buffer = (this.#buffer ??= Buffer.allocUnsafeSlow(BUFFER_BYTES));
    let at = 0;
    for (let read = readSync(source, buffer); read > 0; read = readSync(source, buffer)) {
      const chunk = buffer.subarray(0, read);
      if (!isZeros(chunk))
        for (let done = 0; done < read; ) done += writeSync(target, chunk, done, read - done, at + done);
      at += read;
    }
    ftruncateSync(target, at);
  }
}

/** By its number, since what libc's own takes last is no pointer here. */
function ioctl(
  fd: number,
  request: bigint,
  argument: number,
): [bigint, bigint, bigint, bigint, bigint, bigint, bigint] {
  const number = process.arch === 'arm64' ? 29n : 16n;
  return [number, BigInt(fd), request, BigInt(argument), 0n, 0n, 0n];
}

const zeros = Buffer.alloc(BUFFER_BYTES);

function isZeros(chunk: Buffer): boolean {
  return chunk.equals(zeros.subarray(0, chunk.length));
}

/** Owner first: it clears set-id bits and capabilities. */
function applyAttributes(path: string, node: NodeAttributes): void {
  lchownSync(fsPath(path), node.uid, node.gid);
  if (node.type !== 'symlink') chmodSync(fsPath(path), node.mode);
  for (const [name, value] of node.xattrs) setXattr(path, name, value);
  setTimes(path, node.mtimeSeconds, node.mtimeNanoseconds);
}
