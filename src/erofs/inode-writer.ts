import { encodePath } from '../archive/path-bytes.ts';
import type { NodeAttributes } from '../archive/tree.ts';
import {
  blockSize,
  chunkFormatIndexes,
  compactInodeSize,
  direntSize,
  direntTypes,
  encodeDevice,
  extendedInodeSize,
  inodeSlotSize,
  layoutChunks,
  layoutInline,
  layoutPlain,
  modeTypes,
} from './format.ts';
import type { InodePlan } from './inode-plan.ts';
import { behindXattrs, chunkIndexOffset, ownDataSize } from './inode-plan.ts';
import type { Extent } from './node.ts';
import type { ImageBuffer } from './superblock.ts';
import { writeXattrs } from './xattr-table.ts';

interface Areas {
  metaStart: number;
  dataStartBlock: number;
}

/** The inode with its xattrs and, of a symlink, its target. */
export function writeInode({ bytes, view }: ImageBuffer, plan: InodePlan, areas: Areas): void {
  const { node } = plan;
  const at = areas.metaStart + plan.offset;
  const ownSize = ownDataSize(plan);
  const size = node.type === 'file' ? node.size : ownSize;
  view.setUint16(at, (plan.compact ? 0 : 1) | (layoutOf(plan) << 1), true);
  if (plan.xattrs !== undefined) view.setUint16(at + 2, 1 + (plan.xattrs.size - 12) / 4, true);
  view.setUint16(at + 4, modeTypes[node.type] | node.mode, true);
  view.setUint32(at + 16, placeOf(plan, areas), true);
  view.setUint32(at + 20, plan.number, true);
  if (plan.compact) writeCompact(view, at, { plan, size });
  else writeExtended(view, at, { plan, size });
  const base = plan.compact ? compactInodeSize : extendedInodeSize;
  if (plan.xattrs !== undefined) writeXattrs(bytes, at + base, plan.xattrs);
  if (node.extent !== undefined) writeChunkIndex(view, at + chunkIndexOffset(plan), node.extent);
  if (plan.target !== undefined)
    bytes.set(
      plan.target,
      plan.inlineBytes === ownSize
        ? at + behindXattrs(plan)
        : (areas.dataStartBlock + plan.dataBlock) * blockSize,
    );
}

/** The field that says, by type, where the data is or which device a node stands for. */
function placeOf(plan: InodePlan, { dataStartBlock }: Areas): number {
  const { node } = plan;
  if (node.type === 'char' || node.type === 'block') return encodeDevice(node.deviceMajor, node.deviceMinor);
  if (node.extent !== undefined) return chunkFormatIndexes | chunkBits(node.size);
  return ownDataSize(plan) > plan.inlineBytes ? dataStartBlock + plan.dataBlock : 0;
}

function layoutOf(plan: InodePlan): number {
  if (plan.node.extent !== undefined) return layoutChunks;
  return plan.inlineBytes > 0 ? layoutInline : layoutPlain;
}

/** log2 of the blocks of a chunk that holds the whole file. */
function chunkBits(size: number): number {
  return Math.ceil(Math.log2(Math.ceil(size / blockSize)));
}

function writeChunkIndex(view: DataView, at: number, { device, block }: Extent): void {
  view.setUint16(at + 2, device + 1, true);
  view.setUint32(at + 4, block, true);
}

interface Sized {
  plan: InodePlan;
  size: number;
}

function writeCompact(view: DataView, at: number, { plan, size }: Sized): void {
  view.setUint16(at + 6, plan.links, true);
  view.setUint32(at + 8, size, true);
  view.setUint16(at + 24, plan.node.uid, true);
  view.setUint16(at + 26, plan.node.gid, true);
}

function writeExtended(view: DataView, at: number, { plan, size }: Sized): void {
  const { node } = plan;
  view.setUint32(at + 8, size >>> 0, true);
  view.setUint32(at + 12, Math.floor(size / 2 ** 32), true);
  writeOwnerAndTime(view, at, node);
  view.setUint32(at + 44, plan.links, true);
}

type Settable = Pick<NodeAttributes, 'type' | 'mode' | 'uid' | 'gid' | 'mtimeSeconds' | 'mtimeNanoseconds'>;

function writeOwnerAndTime(view: DataView, at: number, node: Settable): void {
  view.setUint32(at + 24, node.uid, true);
  view.setUint32(at + 28, node.gid, true);
  view.setUint32(at + 32, node.mtimeSeconds >>> 0, true);
  view.setInt32(at + 36, Math.floor(node.mtimeSeconds / 2 ** 32), true);
  view.setUint32(at + 40, node.mtimeNanoseconds, true);
}

/**
 * Set mode, owner and time of the implied directory whose inode was written at byte `at`, in place. Xattrs can't be set so.
 */
export function setImpliedAttributes(image: Buffer, at: number, attributes: Settable): void {
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  view.setUint16(at + 4, modeTypes.directory | attributes.mode, true);
  writeOwnerAndTime(view, at, attributes);
}

/** The directory's blocks, the last one behind the inode when it fits there. */
export function writeDirents(image: ImageBuffer, plan: InodePlan, areas: Areas): void {
  const { entries } = plan;
  if (entries === undefined) return;
  const { starts } = entries;
  for (let block = 0; block < starts.length; block++) {
    const from = starts[block] ?? 0;
    const to = starts[block + 1] ?? entries.names.length;
    const inline = plan.inlineBytes > 0 && block === starts.length - 1;
    const at = inline
      ? areas.metaStart + plan.offset + behindXattrs(plan)
      : (areas.dataStartBlock + plan.dataBlock + block) * blockSize;
    writeDirentBlock(image, at, { plan, from, to });
  }
}

function writeDirentBlock(
  { bytes, view }: ImageBuffer,
  at: number,
  { plan, from, to }: { plan: InodePlan; from: number; to: number },
): void {
  const { entries } = plan;
  if (entries === undefined) return;
  let nameOffset = (to - from) * direntSize;
  for (let i = from; i < to; i++) {
    const child = entries.plans[i];
    const entry = at + (i - from) * direntSize;
    const name = entries.names[i] ?? '';
    const length = entries.lengths[i] ?? 0;
    view.setUint32(entry, (child?.offset ?? 0) / inodeSlotSize, true);
    view.setUint16(entry + 8, nameOffset, true);
    bytes[entry + 10] = direntTypes[child?.node.type ?? 'file'];
    if (length === name.length) bytes.write(name, at + nameOffset, length, 'latin1');
    else bytes.set(encodePath(name), at + nameOffset);
    nameOffset += length;
  }
}
