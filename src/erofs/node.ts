import type { FileType } from '../archive/tree.ts';
import { noXattrs } from '../archive/xattr-sets.ts';

/** Where a file's content lies: `block` counts 512-byte blocks from the start of device `device` (0 is the first). */
export interface Extent {
  device: number;
  block: number;
}

/** One inode to be written. Hard links are the same object under several names. */
export interface ErofsNode {
  type: FileType;
  /** Permission bits, 12. */
  mode: number;
  uid: number;
  gid: number;
  mtimeSeconds: number;
  mtimeNanoseconds: number;
  /** Bytes of a file. */
  size: number;
  /** Content of a file with `size` > 0. */
  extent: Extent | undefined;
  /** Target of a symlink. */
  linkTarget: string;
  deviceMajor: number;
  deviceMinor: number;
  xattrs: ReadonlyMap<string, Uint8Array>;
  /** Entries of a directory; undefined for anything else. */
  children: Map<string, ErofsNode> | undefined;
  /** A directory that no member names: its attributes come from the chain below. Always written so that they can be set in place. */
  implied: boolean;
  /** A directory that hides what is below it. */
  opaque: boolean;
}

/** A directory as it is where nothing else is known of it: root's, 0755, 1970. */
export function impliedDirectory(): ErofsNode {
  return {
    type: 'directory',
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtimeSeconds: 0,
    mtimeNanoseconds: 0,
    size: 0,
    extent: undefined,
    linkTarget: '',
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: noXattrs,
    children: new Map(),
    implied: true,
    opaque: false,
  };
}

/** What overlayfs takes for "removed here": a character device 0/0. */
export function whiteoutNode(): ErofsNode {
  return { ...impliedDirectory(), type: 'char', mode: 0, children: undefined, implied: false };
}

export function isWhiteout(node: Pick<ErofsNode, 'type' | 'deviceMajor' | 'deviceMinor'>): boolean {
  return node.type === 'char' && node.deviceMajor === 0 && node.deviceMinor === 0;
}
