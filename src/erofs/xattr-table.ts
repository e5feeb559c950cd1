import { roundUp, xattrEntryHeaderSize, xattrHeaderSize, xattrPrefixes } from './format.ts';
import type { ErofsNode } from './node.ts';

/** The xattrs of one inode: references into the shared area, and entries of its own. */
export interface StoredXattrs {
  shared: StoredXattr[];
  own: StoredXattr[];
  /** Bytes behind the inode, the header counted. */
  size: number;
}

interface StoredXattr {
  bytes: Uint8Array;
  uses: number;
  /** Offset in the shared area, undefined while the entry is not in it. */
  sharedOffset: number | undefined;
}

const opaqueName = 'trusted.overlay.opaque';
const opaqueValue = Buffer.from('y');
const maxShared = 255;
/** `i_xattr_icount` counts 4-byte units in 16 bits. */
const maxInlineBytes = xattrHeaderSize + 4 * 0xfffe;

/**
 * Collects the xattrs of all inodes, then says which are stored once for all: those that several inodes have (SELinux labels, ACLs,
 * opaque marks) cost 4 bytes each then.
 */
export class XattrTable {
  readonly #entries = new Map<string, StoredXattr>();
  /** Members that have the same xattrs share a map: each is encoded once. */
  readonly #encoded = new WeakMap<ErofsNode['xattrs'], StoredXattr[]>();
  #sharedSize = 0;

  /** Call for each inode once, before any `store`. */
  count(node: ErofsNode): void {
    for (const entry of this.#entriesOf(node)) entry.uses++;
  }

  /** Call for each inode in the order of writing. undefined where the node has none that EROFS can hold. */
  store(node: ErofsNode): StoredXattrs | undefined {
    if (node.xattrs.size === 0 && !node.opaque) return undefined;
    const stored: StoredXattrs = { shared: [], own: [], size: xattrHeaderSize };
    for (const entry of this.#entriesOf(node)) {
      if (entry.uses > 1 && entry.bytes.length > 4 && stored.shared.length < maxShared) {
        if (entry.sharedOffset === undefined) {
          entry.sharedOffset = this.#sharedSize;
          this.#sharedSize += entry.bytes.length;
        }
        stored.shared.push(entry);
        stored.size += 4;
      } else if (stored.size + entry.bytes.length <= maxInlineBytes) {
        stored.own.push(entry);
        stored.size += entry.bytes.length;
      }
    }
    return stored.size > xattrHeaderSize ? stored : undefined;
  }

  /** Bytes of the shared area, known when all was stored. */
  get sharedSize(): number {
    return this.#sharedSize;
  }

  writeShared(image: Uint8Array, at: number): void {
    for (const { bytes, sharedOffset } of this.#entries.values())
      if (sharedOffset !== undefined) image.set(bytes, at + sharedOffset);
  }

  #entriesOf(node: ErofsNode): StoredXattr[] {
    const found = this.#encode(node.xattrs);
    const mark = node.opaque ? this.#entry(opaqueName, opaqueValue) : undefined;
    return mark === undefined ? found : [...found, mark];
  }

  #encode(xattrs: ErofsNode['xattrs']): StoredXattr[] {
    if (xattrs.size === 0) return [];
    let found = this.#encoded.get(xattrs);
    if (found === undefined) {
      found = [...xattrs]
        .map(([name, value]) => this.#entry(name, value))
        .filter((entry) => entry !== undefined);
      this.#encoded.set(xattrs, found);
    }
    return found;
  }

  #entry(name: string, value: Uint8Array): StoredXattr | undefined {
    const bytes = encodeXattr(name, value);
    if (bytes === undefined) return undefined;
    const key = bytes.toString('latin1');
    let entry = this.#entries.get(key);
    if (entry === undefined) this.#entries.set(key, (entry = { bytes, uses: 0, sharedOffset: undefined }));
    return entry;
  }
}

/** undefined for a namespace that the kernel does not know, a name over 255 or a value over 65,535 bytes. */
export function encodeXattr(name: string, value: Uint8Array): Buffer | undefined {
  for (const { index, prefix, exact } of xattrPrefixes) {
    if (exact ? name !== prefix : !name.startsWith(prefix)) continue;
    const rest = Buffer.from(name.slice(prefix.length));
    if (rest.length > 255 || value.length > 0xffff || (rest.length === 0 && !exact)) return undefined;
    const bytes = Buffer.alloc(roundUp(xattrEntryHeaderSize + rest.length + value.length, 4));
    bytes[0] = rest.length;
    bytes[1] = index;
    bytes.writeUInt16LE(value.length, 2);
    rest.copy(bytes, xattrEntryHeaderSize);
    bytes.set(value, xattrEntryHeaderSize + rest.length);
    return bytes;
  }
  return undefined;
}

/** Header, references, entries, at byte `at`. References count 4-byte units of the shared area. */
export function writeXattrs(image: Buffer, at: number, xattrs: StoredXattrs): void {
  image[at + 4] = xattrs.shared.length;
  let position = at + xattrHeaderSize;
  for (const { sharedOffset } of xattrs.shared) {
    image.writeUInt32LE((sharedOffset ?? 0) / 4, position);
    position += 4;
  }
  for (const { bytes } of xattrs.own) {
    image.set(bytes, position);
    position += bytes.length;
  }
}
