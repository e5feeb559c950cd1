import { decodePath, encodePath } from '../archive/path-bytes.ts';
import type { FileType } from '../archive/tree.ts';
import { EngineError } from '../errors/engine-error.ts';
import {
  blockBits,
  blockSize,
  chunkFormatIndexes,
  chunkIndexSize,
  compactInodeSize,
  decodeDevice,
  deviceSlotSize,
  deviceTableSlot,
  direntSize,
  direntTypes,
  extendedInodeSize,
  inodeSlotSize,
  layoutChunks,
  layoutInline,
  layoutPlain,
  modeTypes,
  roundUp,
  superMagic,
  superOffset,
  xattrEntryHeaderSize,
  xattrHeaderSize,
  xattrPrefixes,
} from './format.ts';
import type { Extent } from './node.ts';

export interface Inode {
  type: FileType;
  mode: number;
  uid: number;
  gid: number;
  mtimeSeconds: number;
  mtimeNanoseconds: number;
  size: number;
  links: number;
  /** First block or device number, as `i_u`. */
  place: number;
  layout: number;
  /** Byte offset of the xattrs, and their length. */
  xattrOffset: number;
  xattrBytes: number;
}

export interface DirectoryEntry {
  name: string;
  nid: number;
  type: FileType;
}

const typeOfDirent = new Map<number, FileType>(
  (Object.entries(direntTypes) as [FileType, number][]).map(([type, code]) => [code, type]),
);
const typeOfMode = new Map<number, FileType>(
  (Object.entries(modeTypes) as [FileType, number][]).map(([type, bits]) => [bits, type]),
);

/**
 * Reads the images that `writeErofsImage` makes. `bytes` may be a memory map: only what is asked for is touched.
 *
 * @throws EngineError "internal" for an image that is damaged or of another kind.
 */
export class ErofsImageReader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #metaStart: number;
  readonly #xattrStart: number;
  readonly #deviceBlocks: number[] = [];
  readonly rootNid: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < superOffset + blockSize || this.#view.getUint32(superOffset, true) !== superMagic)
      throw damaged('no superblock');
    if (this.#bytes[superOffset + 12] !== blockBits) throw damaged('block size is not 512');
    this.rootNid = this.#view.getUint16(superOffset + 14, true);
    this.#metaStart = this.#view.getUint32(superOffset + 40, true) * blockSize;
    this.#xattrStart = this.#view.getUint32(superOffset + 44, true) * blockSize;
    const devices = this.#view.getUint16(superOffset + 86, true);
    for (let i = 0; i < devices; i++) {
      this.#deviceBlocks.push(this.#u32((deviceTableSlot + i) * deviceSlotSize + 64));
    }
  }

  inode(nid: number): Inode {
    const at = this.#metaStart + nid * inodeSlotSize;
    this.#check(at, compactInodeSize);
    const format = this.#view.getUint16(at, true);
    const extended = (format & 1) === 1;
    if (extended) this.#check(at, extendedInodeSize);
    const mode = this.#view.getUint16(at + 4, true);
    const type = typeOfMode.get(mode & 0o170000);
    const layout = (format >> 1) & 7;
    if (type === undefined || !(layout === layoutPlain || layout === layoutInline || layout === layoutChunks))
      throw damaged(`inode ${nid} is of an unknown kind`);
    const units = this.#view.getUint16(at + 2, true);
    const common = {
      type,
      mode: mode & 0o7777,
      place: this.#view.getUint32(at + 16, true),
      layout,
      xattrOffset: at + (extended ? extendedInodeSize : compactInodeSize),
      xattrBytes: units === 0 ? 0 : xattrHeaderSize + 4 * (units - 1),
    };
    return { ...common, ...(extended ? this.#extendedFields(at) : this.#compactFields(at)) };
  }

  /** The entries of a directory in their stored order, by bytes, without `.` and `..`. */
  *entries(directory: Inode): Generator<DirectoryEntry> {
    for (const block of this.#direntBlocks(directory)) {
      const count = this.#direntCount(block);
      for (let i = 0; i < count; i++) {
        const entry = this.#dirent(block, { index: i, count });
        const name = decodePath(this.#bytes.subarray(entry.nameStart, entry.nameEnd));
        if (name !== '.' && name !== '..') yield { name, nid: entry.nid, type: entry.type };
      }
    }
  }

  /** One entry by name; undefined where there is none. */
  child(directory: Inode, name: string): DirectoryEntry | undefined {
    const wanted = encodePath(name);
    let found: Region | undefined;
    const blocks = this.#direntBlocks(directory);
    let [low, high] = [0, blocks.length - 1];
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const block = blocks[middle];
      if (block === undefined) break;
      const first = this.#dirent(block, { index: 0, count: this.#direntCount(block) });
      if (this.#compare(first, wanted) <= 0) {
        found = block;
        low = middle + 1;
      } else high = middle - 1;
    }
    return found === undefined ? undefined : this.#childIn(found, wanted, name);
  }

  linkTarget(inode: Inode): string {
    const { start, end } = this.#ownData(inode);
    return decodePath(this.#bytes.subarray(start, end));
  }

  xattrs(inode: Inode): Map<string, Uint8Array> {
    const found = new Map<string, Uint8Array>();
    if (inode.xattrBytes === 0) return found;
    const start = inode.xattrOffset;
    this.#check(start, inode.xattrBytes);
    const shared = this.#bytes[start + 4] ?? 0;
    let at = start + xattrHeaderSize;
    for (let i = 0; i < shared; i++, at += 4) this.#readXattr(this.#xattrStart + 4 * this.#u32(at), found);
    const end = start + inode.xattrBytes;
    while (at + xattrEntryHeaderSize <= end) at = this.#readXattr(at, found);
    return found;
  }

  /** Where a file's content lies; undefined when it is empty. */
  extent(inode: Inode): Extent | undefined {
    if (inode.type !== 'file' || inode.size === 0) return undefined;
    if (inode.layout !== layoutChunks || inode.place !== (chunkFormatIndexes | (inode.place & 0x1f)))
      throw damaged('a file is stored in an unknown way');
    const at = roundUp(inode.xattrOffset + inode.xattrBytes, chunkIndexSize);
    const block = this.#u32(at + 4);
    const device = this.#view.getUint16(at + 2, true) - 1;
    if (block + Math.ceil(inode.size / blockSize) > (this.#deviceBlocks[device] ?? 0))
      throw damaged('a file lies outside of its device');
    return { device, block };
  }

  deviceNumber(inode: Inode): { major: number; minor: number } {
    return decodeDevice(inode.place);
  }

  #compactFields(at: number) {
    const view = this.#view;
    return {
      links: view.getUint16(at + 6, true),
      size: view.getUint32(at + 8, true),
      uid: view.getUint16(at + 24, true),
      gid: view.getUint16(at + 26, true),
      mtimeSeconds: Number(view.getBigInt64(superOffset + 24, true)),
      mtimeNanoseconds: view.getUint32(superOffset + 32, true),
    };
  }

  #extendedFields(at: number) {
    const view = this.#view;
    return {
      links: view.getUint32(at + 44, true),
      size: Number(view.getBigUint64(at + 8, true)),
      uid: view.getUint32(at + 24, true),
      gid: view.getUint32(at + 28, true),
      mtimeSeconds: Number(view.getBigInt64(at + 32, true)),
      mtimeNanoseconds: view.getUint32(at + 40, true),
    };
  }

  #childIn(block: Region, wanted: Buffer, name: string): DirectoryEntry | undefined {
    const count = this.#direntCount(block);
    let [low, high] = [0, count - 1];
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const entry = this.#dirent(block, { index: middle, count });
      const order = this.#compare(entry, wanted);
      if (order === 0) return { name, nid: entry.nid, type: entry.type };
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  #compare(entry: { nameStart: number; nameEnd: number }, wanted: Buffer): number {
    return this.#bytes.compare(wanted, 0, wanted.length, entry.nameStart, entry.nameEnd);
  }

  #dirent(block: Region, { index, count }: { index: number; count: number }) {
    const at = block.start + index * direntSize;
    const nameStart = block.start + this.#view.getUint16(at + 8, true);
    const last = index === count - 1;
    let nameEnd = last ? block.end : block.start + this.#view.getUint16(at + direntSize + 8, true);
    if (last) {
      const nul = this.#bytes.subarray(nameStart, nameEnd).indexOf(0);
      if (nul !== -1) nameEnd = nameStart + nul;
    }
    if (nameStart >= nameEnd || nameEnd > block.end) throw damaged('a directory entry has no name');
    const type = typeOfDirent.get(this.#bytes[at + 10] ?? 0) ?? 'file';
    return { nid: this.#u32(at), nameStart, nameEnd, type };
  }

  #direntCount(block: Region): number {
    this.#check(block.start, Math.max(direntSize, block.end - block.start));
    const first = this.#view.getUint16(block.start + 8, true);
    if (first === 0 || first % direntSize !== 0 || block.start + first > block.end)
      throw damaged('a directory block does not begin with entries');
    return first / direntSize;
  }

  #direntBlocks(directory: Inode): Region[] {
    if (directory.size > this.#bytes.length) throw damaged('a directory is larger than the image');
    const blocks: Region[] = [];
    const tail = directory.size % blockSize;
    const inline = directory.layout === layoutInline;
    const outside = inline ? (directory.size - tail) / blockSize : Math.ceil(directory.size / blockSize);
    for (let i = 0; i < outside; i++) {
      const start = (directory.place + i) * blockSize;
      const full = i < outside - 1 || inline || tail === 0;
      blocks.push({ start, end: start + (full ? blockSize : tail) });
    }
    const behind = directory.xattrOffset + directory.xattrBytes;
    if (inline && tail > 0) blocks.push({ start: behind, end: behind + tail });
    return blocks;
  }

  #ownData(inode: Inode): Region {
    const start =
      inode.layout === layoutInline ? inode.xattrOffset + inode.xattrBytes : inode.place * blockSize;
    this.#check(start, inode.size);
    return { start, end: start + inode.size };
  }

  #readXattr(at: number, into: Map<string, Uint8Array>): number {
    this.#check(at, xattrEntryHeaderSize);
    const nameLength = this.#bytes[at] ?? 0;
    const index = this.#bytes[at + 1];
    const valueLength = this.#view.getUint16(at + 2, true);
    const nameStart = at + xattrEntryHeaderSize;
    this.#check(nameStart, nameLength + valueLength);
    const valueStart = nameStart + nameLength;
    const prefix = xattrPrefixes.find((known) => known.index === index)?.prefix;
    const rest = this.#bytes.toString('utf8', nameStart, valueStart);
    if (prefix !== undefined)
      into.set(`${prefix}${rest}`, this.#bytes.subarray(valueStart, valueStart + valueLength));
    return nameStart + Math.ceil((nameLength + valueLength) / 4) * 4;
  }

  #u32(at: number): number {
    this.#check(at, 4);
    return this.#view.getUint32(at, true);
  }

  #check(at: number, length: number): void {
    if (at + length > this.#bytes.length) throw damaged('a part lies outside of the image');
  }
}

interface Region {
  start: number;
  end: number;
}

function damaged(reason: string): EngineError {
  return new EngineError('internal', `Cannot read layer index: ${reason}`);
}
