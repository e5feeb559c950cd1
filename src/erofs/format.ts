/**
 * Facts of the EROFS on-disk format (Linux Documentation/filesystems/erofs.rst, fs/erofs/erofs_fs.h), as far as this engine uses it:
 * uncompressed images with blocks of 512 bytes, so that file data can lie anywhere in a tar.
 */
export const blockBits = 9;
export const blockSize = 1 << blockBits;

export const superOffset = 1024;
export const superSize = 128;
export const superMagic = 0xe0f5e1e2;
/** crc32c of the magic and a zero checksum: where the superblock's checksum starts from. */
export const superChecksumSeed = 0x5045b54a;
export const compatChecksum = 0x1;
export const compatMtime = 0x2;
export const incompatChunkedFile = 0x4;
export const incompatDeviceTable = 0x8;

export const deviceSlotSize = 128;
/** First slot of the device table: right after the superblock. */
export const deviceTableSlot = (superOffset + superSize) / deviceSlotSize;

/** Inodes lie at multiples of this; an inode's number is its slot, counted from the metadata area. */
export const inodeSlotSize = 32;
export const compactInodeSize = 32;
export const extendedInodeSize = 64;
export const layoutPlain = 0;
export const layoutInline = 2;
export const layoutChunks = 4;

/** In a chunked inode's format: entries of 8 bytes that name a device. The low five bits are log2 of a chunk's blocks. */
export const chunkFormatIndexes = 0x20;
export const chunkIndexSize = 8;

export const direntSize = 12;
export const xattrHeaderSize = 12;
export const xattrEntryHeaderSize = 4;

/** Block addresses on a device have 32 bits; the highest value means a hole. */
export const maxBlocks = 0xffff_ffff;

/** What a directory entry says of its node (`file_type`). */
export const direntTypes = {
  file: 1,
  directory: 2,
  char: 3,
  block: 4,
  fifo: 5,
  socket: 6,
  symlink: 7,
} as const;

/** The type bits of a mode. */
export const modeTypes = {
  file: 0o100000,
  directory: 0o040000,
  char: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
  socket: 0o140000,
  symlink: 0o120000,
} as const;

/** Prefixes that an xattr name is stored without, by index. The longest match wins; `exact` names have no rest. */
export const xattrPrefixes = [
  { index: 2, prefix: 'system.posix_acl_access', exact: true },
  { index: 3, prefix: 'system.posix_acl_default', exact: true },
  { index: 1, prefix: 'user.', exact: false },
  { index: 4, prefix: 'trusted.', exact: false },
  { index: 6, prefix: 'security.', exact: false },
] as const;

/** Linux's 32-bit encoding of a device number. */
export function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

export function decodeDevice(device: number): { major: number; minor: number } {
  return { major: (device >>> 8) & 0xfff, minor: (device & 0xff) | ((device >>> 12) & 0xfff00) };
}

export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
