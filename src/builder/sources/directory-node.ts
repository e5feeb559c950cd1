import { type BigIntStats, closeSync, fstatSync, readdirSync, readSync } from 'node:fs';
import { decodePath, encodePath } from '../../archive/path-bytes.ts';
import type { FileType, NodeAttributes } from '../../archive/tree.ts';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import {
  fileType,
  fsPath,
  isOpaque,
  isWhiteout,
  nodeAttributes,
  statNode,
} from '../../snapshots/node-attributes.ts';
import { errno } from '../../sys/errno.ts';
import { SyscallError } from '../../sys/libc.ts';
import { openBeneath } from '../../sys/open-beneath.ts';
import type { ContentStamp, FileNode, OpenContent } from './file-node.ts';

export interface DirectoryRoot {
  /** Absolute. */
  path: string;
  /** A descriptor of it. */
  fd: number;
}

const nul = Buffer.alloc(1);

/**
 * A node of a directory of this host. Looks at names never follow a link; a file is opened from the root by its descriptor without following any, and
 * must be the one that was looked at: who changes the tree meanwhile can make reading fail, and nothing else.
 */
export class DirectoryNode implements FileNode {
  readonly #root: DirectoryRoot;
  /** Relative to the root. */
  readonly #path: string;
  readonly #stat: BigIntStats;

  private constructor(root: DirectoryRoot, path: string, stat: BigIntStats) {
    this.#root = root;
    this.#path = path;
    this.#stat = stat;
  }

  static root(root: DirectoryRoot): DirectoryNode {
    return new DirectoryNode(root, '', fstatSync(root.fd, { bigint: true }));
  }

  get key(): string {
    return `${this.#stat.dev}:${this.#stat.ino}`;
  }

  get type(): FileType {
    return fileType(this.#stat);
  }

  get size(): number {
    return this.#stat.isFile() ? Number(this.#stat.size) : 0;
  }

  get links(): number {
    return Number(this.#stat.nlink);
  }

  attributes(): NodeAttributes {
    return nodeAttributes(this.#hostPath(), this.#stat);
  }

  names(): readonly string[] {
    if (!this.#stat.isDirectory()) return [];
    try {
      const names = readdirSync(fsPath(this.#hostPath()), { encoding: 'buffer' });
      return names.sort((a, b) => Buffer.compare(a, b)).map(decodePath);
    } catch (error) {
      if (errnoCodeOf(error) === 'ENOENT' || errnoCodeOf(error) === 'ENOTDIR') throw this.#changed();
      throw error;
    }
  }

  child(name: string): DirectoryNode | undefined {
    if (!this.#stat.isDirectory()) return undefined;
    const path = this.#path === '' ? name : `${this.#path}/${name}`;
    const stat = statNode(`${this.#root.path}/${path}`);
    return stat === undefined ? undefined : new DirectoryNode(this.#root, path, stat);
  }

  /** Overlay's mark of a removed name, where this is an upper directory. */
  isWhiteout(): boolean {
    return isWhiteout(this.#stat);
  }

  /** Overlay's mark of a directory that hides what is below. */
  isOpaque(): boolean {
    return isOpaque(this.#hostPath());
  }

  open(): OpenContent {
    const fd = this.#open();
    const now = fstatSync(fd, { bigint: true });
    const isSame = now.ino === this.#stat.ino && now.dev === this.#stat.dev && now.size === this.#stat.size;
    if (isSame && now.mtimeNs === this.#stat.mtimeNs) return fileContent(fd);
    closeSync(fd);
    throw this.#changed();
  }

  stamp(): ContentStamp {
    const { dev: device, ino: inode, size, mtimeNs, ctimeNs } = this.#stat;
    return { device, inode, size, mtimeNs, ctimeNs };
  }

  #open(): number {
    try {
      return openBeneath(this.#root.fd, Buffer.concat([encodePath(this.#path), nul]));
    } catch (error) {
      if (error instanceof SyscallError && REPLACED.has(error.errno)) throw this.#changed();
      throw error;
    }
  }

  #hostPath(): string {
    return this.#path === '' ? this.#root.path : `${this.#root.path}/${this.#path}`;
  }

  #changed(): EngineError {
    return new EngineError(
      'invalid',
      `Cannot read ${JSON.stringify(`/${this.#path}`)}: it changed while it was read`,
    );
  }
}

function fileContent(fd: number): OpenContent {
  return {
    read: (buffer, at, length, position) => readSync(fd, buffer, at, length, position),
    close: () => closeSync(fd),
  };
}

/** A link in the way, or nothing, or no directory: none of which was there a moment ago. */
const REPLACED = new Set<number>([errno.ELOOP, errno.EXDEV, errno.ENOENT, errno.ENOTDIR, errno.EAGAIN]);
