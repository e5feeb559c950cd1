import { encodePath } from '../archive/path-bytes.ts';
import { EngineError } from '../errors/engine-error.ts';
import {
  blockSize,
  deviceSlotSize,
  inodeSlotSize,
  maxBlocks,
  roundUp,
  superOffset,
  superSize,
} from './format.ts';
import type { Epoch, InodePlan } from './inode-plan.ts';
import { commonTime, fitsCompact, inodeSize, ownDataSize, planDirents } from './inode-plan.ts';
import { writeDirents, writeInode } from './inode-writer.ts';
import type { ErofsNode } from './node.ts';
import { writeDevices, writeSuperblock } from './superblock.ts';
import { XattrTable } from './xattr-table.ts';

/** A file that holds content; the kernel is given them in this order (`device=`). */
export interface ErofsDevice {
  /** Bytes; the last block may be short. */
  sizeBytes: number;
}

export interface ErofsImage {
  bytes: Buffer;
  /** Byte offset of each inode, for `setImpliedAttributes`. */
  offsetOf: (node: ErofsNode) => number | undefined;
}

/**
 * The metadata image of a tree whose file content lies in `devices`: one tar for a layer, or many for a merged stack. A file is one
 * chunk, however large, that names device and block.
 *
 * The same tree gives the same bytes. @throws EngineError "invalid" code size-exceeded when a device holds more than 2 TiB.
 */
export function writeErofsImage(root: ErofsNode, devices: readonly ErofsDevice[]): ErofsImage {
  const table = new XattrTable();
  const { plans, directories, planOf } = collect(root, table);
  const epoch = commonTime(plans);
  const inodes = placeInodes(plans, { table, epoch });
  const metaStart = roundUp(superOffset + superSize + devices.length * deviceSlotSize, blockSize);
  const sharedStart = roundUp(metaStart + inodes.size, blockSize);
  const dataStart = roundUp(sharedStart + table.sharedSize, blockSize);
  const size = dataStart + inodes.dataBlocks * blockSize;
  checkDevices(devices);

  const bytes = Buffer.alloc(size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const dataStartBlock = dataStart / blockSize;
  for (const plan of plans) writeInode({ bytes, view }, plan, { metaStart, dataStartBlock });
  for (const plan of directories) writeDirents({ bytes, view }, plan, { metaStart, dataStartBlock });
  table.writeShared(bytes, sharedStart);
  writeDevices(view, devices);
  const layout = { metaBlock: metaStart / blockSize, xattrBlock: sharedStart / blockSize };
  const rootNid = (planOf.get(root)?.offset ?? 0) / inodeSlotSize;
  writeSuperblock(
    { bytes, view },
    { ...layout, rootNid, inodes: plans.length, epoch, devices: devices.length },
  );
  return { bytes, offsetOf: (node) => offsetIn(planOf.get(node), metaStart) };
}

function offsetIn(plan: InodePlan | undefined, metaStart: number): number | undefined {
  return plan === undefined ? undefined : metaStart + plan.offset;
}

interface Collected {
  plans: InodePlan[];
  directories: InodePlan[];
  planOf: Map<ErofsNode, InodePlan>;
}

/** All inodes, a directory followed by its files, so that listing one with attributes reads neighbours. */
function collect(root: ErofsNode, table: XattrTable): Collected {
  const plans: InodePlan[] = [];
  const directories: InodePlan[] = [];
  const planOf = new Map<ErofsNode, InodePlan>();
  const add = (node: ErofsNode, parent: InodePlan | undefined): InodePlan => {
    const plan = newPlan(node, { number: plans.length + 1, parent });
    plans.push(plan);
    planOf.set(node, plan);
    table.count(node);
    return plan;
  };
  const stack = [{ node: root, parent: undefined as InodePlan | undefined }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const plan = add(next.node, next.parent);
    directories.push(plan);
    const entries = planDirents(next.node);
    plan.entries = entries;
    plan.links = 2;
    for (let i = 0; i < entries.names.length; i++) {
      const child = next.node.children?.get(entries.names[i] ?? '');
      if (child === undefined) continue;
      if (child.type === 'directory') {
        plan.links++;
        continue;
      }
      const known = planOf.get(child) ?? add(child, undefined);
      known.links++;
      entries.plans[i] = known;
    }
    for (let i = entries.names.length - 1; i >= 0; i--) {
      const child = next.node.children?.get(entries.names[i] ?? '');
      if (child?.type === 'directory') stack.push({ node: child, parent: plan });
    }
  }
  for (const plan of directories) linkDirectories(plan, planOf);
  return { plans, directories, planOf };
}

function linkDirectories(plan: InodePlan, planOf: ReadonlyMap<ErofsNode, InodePlan>): void {
  const { entries, node } = plan;
  if (entries === undefined) return;
  for (let i = 0; i < entries.names.length; i++) {
    if (entries.plans[i] !== undefined) continue;
    const name = entries.names[i] ?? '';
    const child = node.children?.get(name);
    if (child !== undefined) entries.plans[i] = planOf.get(child);
    else entries.plans[i] = name === '.' ? plan : (plan.parent ?? plan);
  }
}

function newPlan(node: ErofsNode, at: { number: number; parent: InodePlan | undefined }): InodePlan {
  return {
    node,
    number: at.number,
    links: 0,
    parent: at.parent,
    entries: undefined,
    target: node.type === 'symlink' ? encodePath(node.linkTarget) : undefined,
    compact: false,
    xattrs: undefined,
    offset: 0,
    inlineBytes: 0,
    dataBlock: 0,
  };
}

/**
 * Give every inode its place. A tail behind its inode must not cross a block (the kernel refuses it), so such an inode may leave a
 * gap; the next ones without a tail fill it.
 */
function placeInodes(
  plans: readonly InodePlan[],
  { table, epoch }: { table: XattrTable; epoch: Epoch },
): { size: number; dataBlocks: number } {
  // The first slot stays empty: what has the inode number 0 is passed over by readdir(3), and every directory in the root has a `..` of the root's number.
  let end = inodeSlotSize;
  let gap = { start: 0, end: 0 };
  let dataBlocks = 0;
  for (const plan of plans) {
    plan.compact = fitsCompact(plan, epoch);
    plan.xattrs = table.store(plan.node);
    const own = inodeSize(plan);
    const data = ownDataSize(plan);
    const tail = data % blockSize;
    if (tail > 0 && own + tail <= blockSize && (plan.entries !== undefined || data < blockSize)) {
      plan.inlineBytes = tail;
      plan.dataBlock = dataBlocks;
      dataBlocks += (data - tail) / blockSize;
    } else if (data > 0) {
      plan.dataBlock = dataBlocks;
      dataBlocks += Math.ceil(data / blockSize);
    }
    const need = own + plan.inlineBytes;
    if (plan.number > 1 && gap.end - gap.start >= need) {
      plan.offset = gap.start;
      gap.start += roundUp(need, inodeSlotSize);
      continue;
    }
    const room = blockSize - (end % blockSize);
    if (plan.inlineBytes > 0 && need > room) {
      if (room > gap.end - gap.start) gap = { start: end, end: end + room };
      end += room;
    }
    plan.offset = end;
    end += roundUp(need, inodeSlotSize);
  }
  return { size: end, dataBlocks };
}

function checkDevices(devices: readonly ErofsDevice[]): void {
  if (devices.some(({ sizeBytes }) => Math.ceil(sizeBytes / blockSize) >= maxBlocks))
    throw new EngineError('invalid', 'Cannot index layer: its content is larger than 2 TiB', {
      code: 'size-exceeded',
    });
}
