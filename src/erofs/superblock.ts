import { crc32c } from './crc32c.ts';
import {
  blockBits,
  blockSize,
  compatChecksum,
  compatMtime,
  deviceSlotSize,
  deviceTableSlot,
  incompatChunkedFile,
  incompatDeviceTable,
  superChecksumSeed,
  superMagic,
  superOffset,
} from './format.ts';
import type { ErofsDevice } from './image-writer.ts';
import type { Epoch } from './inode-plan.ts';

export interface ImageBuffer {
  bytes: Buffer;
  view: DataView;
}

export interface SuperblockFields {
  rootNid: number;
  metaBlock: number;
  xattrBlock: number;
  inodes: number;
  epoch: Epoch;
  devices: number;
}

/** Write the superblock last: its checksum covers the rest of its block. */
export function writeSuperblock({ bytes, view }: ImageBuffer, fields: SuperblockFields): void {
  const at = superOffset;
  view.setUint32(at, superMagic, true);
  view.setUint32(at + 8, compatChecksum | compatMtime, true);
  bytes[at + 12] = blockBits;
  view.setUint16(at + 14, fields.rootNid, true);
  view.setBigUint64(at + 16, BigInt(fields.inodes), true);
  view.setBigInt64(at + 24, BigInt(fields.epoch.seconds), true);
  view.setUint32(at + 32, fields.epoch.nanoseconds, true);
  view.setUint32(at + 36, bytes.length / blockSize, true);
  view.setUint32(at + 40, fields.metaBlock, true);
  view.setUint32(at + 44, fields.xattrBlock, true);
  view.setUint32(at + 80, incompatChunkedFile | incompatDeviceTable, true);
  view.setUint16(at + 86, fields.devices, true);
  view.setUint16(at + 88, deviceTableSlot, true);
  view.setUint32(at + 4, crc32c(superChecksumSeed, bytes.subarray(at + 8, at + blockSize)), true);
}

/** No device has a place in the unified block space: chunks name theirs. */
export function writeDevices(view: DataView, devices: readonly ErofsDevice[]): void {
  for (const [i, { sizeBytes }] of devices.entries()) {
    const at = (deviceTableSlot + i) * deviceSlotSize;
    view.setUint32(at + 64, Math.max(1, Math.ceil(sizeBytes / blockSize)), true);
  }
}
