import { closeSync, constants, openSync, statfsSync } from 'node:fs';
import { libc } from './libc.ts';

const EXT4 = 0xef53;
const FS_IOC_GETFLAGS = 0x80086601n;
const FS_IOC_SETFLAGS = 0x40086602n;
const EXT4_TOPDIR_FL = 0x00020000;

/**
 * Have a file system that can (ext4, `chattr +T`) put each directory that is made in this one into another group of its inodes. It leaves the inodes of
 * removed files free for a minute or more and passes each of them by whenever it looks for one in a group: where directories come and go by the hundred, making a
 * file takes 0.3 ms instead of 0.02.
 *
 * @returns whether it does. Elsewhere nothing changes.
 */
export function spreadDirectories(directory: string): boolean {
  if (statfsSync(directory).type !== EXT4) return false;
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const flags = new Uint32Array(2);
    if (libc.ioctl(fd, FS_IOC_GETFLAGS, flags) !== 0) return false;
    if (((flags[0] ?? 0) & EXT4_TOPDIR_FL) !== 0) return true;
    flags[0] = (flags[0] ?? 0) | EXT4_TOPDIR_FL;
    return libc.ioctl(fd, FS_IOC_SETFLAGS, flags) === 0;
  } finally {
    closeSync(fd);
  }
}
