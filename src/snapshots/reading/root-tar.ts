import type { BigIntStats } from 'node:fs';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { TarWriter } from '../../archive/tar-writer.ts';
import { type IdMap, idsWithin } from '../../sys/id-map.ts';
import { xattrWithin } from '../../sys/mapped-xattrs.ts';
import { fsPath, isOpaque, isWhiteout, nodeAttributes, statNode } from '../node-attributes.ts';
import { isGone, type WalkedNode, walkRoot } from './root-walk.ts';

const BUFFER_BYTES = 1 << 20;
/** What belongs to the host's security module and not to the files. */
const HOST_XATTRS = new Set(['security.selinux', 'security.ima', 'security.evm']);

/** Whose ids are the host's, and the archive's are to be those within; undefined: as they are. */
export type MapOf = (path: string) => IdMap | undefined;

/** Takes the bytes of an archive, in order. Each piece is valid during the call. */
export type ByteSink = (bytes: Uint8Array) => void;

/**
 * Write this process's root as a tar: hard links once with their content, sockets left out. As a `layer`, overlayfs's whiteouts and opaque directories become
 * the OCI's; an empty directory gives an archive without members.
 */
export class RootTar {
  readonly #out: ByteSink;
  readonly #layer: boolean;
  readonly #writer = new TarWriter();
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  readonly #wholeSeconds: boolean;
  readonly #nameOf: (path: string) => string;
  readonly #mapOf: MapOf;
  /** First names of files with several, by device and inode. */
  readonly #links = new Map<string, string>();

  /** `nameOf`: what a member is called; default: by its path. `wholeSeconds`: of times, as Docker's copies have them. */
  constructor(
    out: ByteSink,
    options: { layer: boolean; nameOf?: (path: string) => string; wholeSeconds?: boolean; mapOf?: MapOf },
  ) {
    this.#out = out;
    this.#layer = options.layer;
    this.#wholeSeconds = options.wholeSeconds === true;
    this.#nameOf = options.nameOf ?? ((path) => path);
    this.#mapOf = options.mapOf ?? (() => undefined);
  }

  /** The root itself, `./`. Before anything else. */
  root(): void {
    const stat = statNode('/');
    if (stat === undefined) return;
    const { linkTarget: _, ...node } = this.#attributesOf('', stat);
    this.#out(this.#writer.header({ ...node, path: '.', size: 0 }));
  }

  write(skips: (path: string) => boolean): void {
    this.#walk(walkRoot(skips));
    this.#out(this.#writer.end());
  }

  /** One node, and, where it is a directory, all below it, as an archive of its own. */
  writeFrom(node: WalkedNode): void {
    this.#walk([node]);
    if (node.stat.isDirectory()) this.#walk(walkRoot(() => false, node.path));
    this.#out(this.#writer.end());
  }

  #walk(nodes: Iterable<WalkedNode>): void {
    for (const node of nodes) {
      try {
        this.#node(node);
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    }
  }

  #node({ path, stat }: WalkedNode): void {
    if (stat.isSocket()) return;
    if (this.#layer && isWhiteout(stat)) return this.#mark(path, (name) => `.wh.${name}`);
    if (stat.isFile()) return this.#file(path, stat);
    const { linkTarget = '', ...node } = this.#attributesOf(path, stat);
    this.#out(this.#writer.header({ ...node, path: this.#nameOf(path), linkTarget, size: 0 }));
    if (this.#layer && stat.isDirectory() && isOpaque(`/${path}`))
      this.#mark(`${path}/`, () => '.wh..wh..opq');
  }

  /** An empty file whose name is the message. */
  #mark(path: string, nameOf: (name: string) => string): void {
    const slash = path.lastIndexOf('/') + 1;
    const name = path.slice(0, slash) + nameOf(path.slice(slash));
    this.#out(this.#writer.header({ path: name, type: 'file', mode: 0, size: 0 }));
  }

  #file(path: string, stat: BigIntStats): void {
    const inode = `${stat.dev}:${stat.ino}`;
    const first = stat.nlink > 1n ? this.#links.get(inode) : undefined;
    if (first !== undefined) {
      const node = this.#attributesOf(path, stat);
      const link = { type: 'hardlink', linkTarget: this.#nameOf(first), size: 0 } as const;
      this.#out(this.#writer.header({ ...node, path: this.#nameOf(path), ...link }));
      return;
    }
    // Not a pipe that was put in its place: that would wait for a writer.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = openSync(fsPath(`/${path}`), flags);
    try {
      const now = fstatSync(file, { bigint: true });
      if (!now.isFile()) return;
      const { linkTarget: _, ...node } = this.#attributesOf(path, now);
      this.#out(this.#writer.header({ ...node, path: this.#nameOf(path), size: node.size }));
      this.#content(file, node.size);
    } finally {
      closeSync(file);
    }
    if (stat.nlink > 1n) this.#links.set(inode, path);
  }

  /** Exactly as many bytes as the header says, whatever is being done to the file: cut, or filled with zeros. */
  #content(file: number, size: number): void {
    let left = size;
    while (left > 0) {
      const length = Math.min(left, BUFFER_BYTES);
      const read = readSync(file, this.#buffer, 0, length, null);
      if (read === 0) this.#buffer.fill(0, 0, length);
      const taken = read === 0 ? length : read;
      this.#writer.content(taken);
      this.#out(this.#buffer.subarray(0, taken));
      left -= taken;
    }
    const padding = this.#writer.padding();
    if (padding.length > 0) this.#out(padding);
  }

  #attributesOf(path: string, stat: BigIntStats) {
    const node = nodeAttributes(`/${path}`, stat);
    const xattrs = new Map([...node.xattrs].filter(([name]) => !HOST_XATTRS.has(name)));
    const map = this.#mapOf(path);
    if (map !== undefined)
      for (const [name, value] of xattrs) xattrs.set(name, xattrWithin(name, value, map));
    return {
      ...node,
      ...(this.#wholeSeconds ? { mtimeNanoseconds: 0 } : {}),
      ...(map === undefined ? {} : idsWithin(map, node)),
      xattrs,
    };
  }
}
