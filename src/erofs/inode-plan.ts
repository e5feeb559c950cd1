import { comparePathBytes, encodePath } from '../archive/path-bytes.ts';
import {
  blockSize,
  chunkIndexSize,
  compactInodeSize,
  direntSize,
  extendedInodeSize,
  roundUp,
} from './format.ts';
import type { ErofsNode } from './node.ts';
import type { StoredXattrs } from './xattr-table.ts';

/** How and where one inode is written. */
export interface InodePlan {
  node: ErofsNode;
  number: number;
  links: number;
  /** The directory above, of a directory. */
  parent: InodePlan | undefined;
  entries: Dirents | undefined;
  /** Symlink target. */
  target: Buffer | undefined;
  compact: boolean;
  xattrs: StoredXattrs | undefined;
  /** Byte offset of the inode from the metadata area. */
  offset: number;
  /** Bytes of the tail that lie right behind the inode, 0 when there is none. */
  inlineBytes: number;
  /** Block of the data that lies outside, counted from the data area of the image. */
  dataBlock: number;
}

/** A directory's entries in the order and the blocks in which they are stored. */
export interface Dirents {
  names: string[];
  /** Bytes of each name. */
  lengths: Uint16Array;
  plans: (InodePlan | undefined)[];
  /** Index of the first entry of each block. */
  starts: number[];
  /** As the inode says: whole blocks and what the last one uses. */
  size: number;
}

export interface Epoch {
  seconds: number;
  nanoseconds: number;
}

const beyondOrder = /[\ud800-\uffff]/;

/** Sorts as `memcmp` does: JavaScript's own order of strings is the same below U+D800. */
export function sortNames(names: string[]): string[] {
  if (names.some((name) => beyondOrder.test(name))) return names.sort(comparePathBytes);
  return names.sort();
}

/** Order the entries of a directory, `.` and `..` among them, and cut them into blocks. */
export function planDirents(node: ErofsNode): Dirents {
  const names = sortNames(['.', '..', ...(node.children?.keys() ?? [])]);
  const lengths = new Uint16Array(names.length);
  const starts = [0];
  let used = 0;
  for (let i = 0; i < names.length; i++) {
    const length = nameLength(names[i] ?? '');
    lengths[i] = length;
    if (used + direntSize + length > blockSize) {
      starts.push(i);
      used = 0;
    }
    used += direntSize + length;
  }
  const size = (starts.length - 1) * blockSize + used;
  return { names, lengths, plans: names.map(() => undefined), starts, size };
}

function nameLength(name: string): number {
  return name.isWellFormed() ? Buffer.byteLength(name) : encodePath(name).length;
}

/** Bytes of the inode's content that the image itself holds. */
export function ownDataSize(plan: InodePlan): number {
  return plan.entries?.size ?? plan.target?.length ?? 0;
}

/** Bytes of the inode with all that lies between it and an inline tail. */
export function inodeSize(plan: InodePlan): number {
  return plan.node.extent === undefined ? behindXattrs(plan) : chunkIndexOffset(plan) + chunkIndexSize;
}

/** Where a file's one chunk index lies, counted from its inode. */
export function chunkIndexOffset(plan: InodePlan): number {
  return roundUp(behindXattrs(plan), chunkIndexSize);
}

/** Where an inline tail lies, counted from the inode. */
export function behindXattrs(plan: InodePlan): number {
  return (plan.compact ? compactInodeSize : extendedInodeSize) + (plan.xattrs?.size ?? 0);
}

/** A compact inode has no time of its own, 16-bit owners and no room for what is set later. */
export function fitsCompact(plan: InodePlan, epoch: Epoch): boolean {
  const { node } = plan;
  return (
    !node.implied &&
    node.mtimeSeconds === epoch.seconds &&
    node.mtimeNanoseconds === epoch.nanoseconds &&
    node.uid <= 0xffff &&
    node.gid <= 0xffff &&
    plan.links <= 0xffff &&
    node.size <= 0xffff_ffff
  );
}

/** The time that most nodes have: layers built reproducibly have a single one, and then all inodes are compact. */
export function commonTime(plans: readonly InodePlan[]): Epoch {
  const counts = new Map<number, { count: number; epoch: Epoch }>();
  let best: { count: number; epoch: Epoch } | undefined;
  for (const { node } of plans) {
    if (node.implied) continue;
    const key = node.mtimeSeconds + node.mtimeNanoseconds / 1e9;
    let seen = counts.get(key);
    if (seen === undefined) {
      seen = { count: 0, epoch: { seconds: node.mtimeSeconds, nanoseconds: node.mtimeNanoseconds } };
      counts.set(key, seen);
    }
    if (++seen.count > (best?.count ?? 0)) best = seen;
  }
  return best?.epoch ?? { seconds: 0, nanoseconds: 0 };
}
