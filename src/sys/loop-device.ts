import { closeSync, constants, openSync } from 'node:fs';
import { errnoCodeOf } from '../errors/engine-error.ts';
import { errno } from './errno.ts';
import { checked, cString, lastErrno, libc, SyscallError } from './libc.ts';

// <linux/loop.h>
const LOOP_CTL_GET_FREE = 0x4c82n;
const LOOP_CONFIGURE = 0x4c0an;
const LO_FLAGS_READ_ONLY = 1;
const LO_FLAGS_AUTOCLEAR = 4;
/** struct loop_config: fd, block size, struct loop_info64, eight reserved u64. */
const CONFIG_BYTES = 304;
const INFO_OFFSET = 8;
const INFO_FLAGS = INFO_OFFSET + 52;
const INFO_FILE_NAME = INFO_OFFSET + 56;
const FILE_NAME_BYTES = 63;
const LOOP_MAJOR = 7;
const S_IFBLK = 0o060000;
/** Whoever else looks for a free device may take the one that was found. */
const MAX_TRIES = 50;

/** A block device over a file, for as long as this object or a mount holds it open. */
export interface LoopDevice extends Disposable {
  path: string;
}

/**
 * Put a free loop device over a file. It goes with its last user: dispose of it when what it is for has been mounted.
 *
 * @throws SyscallError, ENOENT where there are no loop devices.
 */
export function attachLoop(file: string, { readonly = false } = {}): LoopDevice {
  const backing = openSync(file, readonly ? constants.O_RDONLY : constants.O_RDWR);
  try {
    for (let tries = 0; ; tries++) {
      const path = freeDevice();
      const device = openDevice(path, readonly);
      if (configure(device, { backing, file, readonly }))
        return { path, [Symbol.dispose]: () => closeSync(device) };
      closeSync(device);
      if (tries === MAX_TRIES)
        throw new SyscallError('ioctl', errno.EBUSY, `find a free loop device for ${file}`);
    }
  } finally {
    closeSync(backing);
  }
}

function freeDevice(): string {
  const what = 'look for a free loop device';
  let control: number;
  try {
    control = openSync('/dev/loop-control', constants.O_RDWR);
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') throw new SyscallError('open', errno.ENOENT, what);
    throw error;
  }
  try {
    return `/dev/loop${checked(libc.ioctl(control, LOOP_CTL_GET_FREE, null), 'ioctl', what)}`;
  } finally {
    closeSync(control);
  }
}

/** In a container nobody makes the node of a device that has just come to be. */
function openDevice(path: string, readonly: boolean): number {
  const flags = readonly ? constants.O_RDONLY : constants.O_RDWR;
  try {
    return openSync(path, flags);
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error;
  }
  const minor = Number(path.slice('/dev/loop'.length));
  const name = cString(path);
  // makedev(3): the minor's upper bits lie above the major.
  const number = (BigInt(minor) & 0xffn) | (BigInt(LOOP_MAJOR) << 8n) | ((BigInt(minor) & ~0xffn) << 12n);
  const made = libc.mknod(name, S_IFBLK | 0o660, number);
  if (made !== 0 && lastErrno() !== errno.EEXIST) checked(made, 'mknod', `make ${path}`);
  return openSync(path, flags);
}

/** @returns false: somebody else has it by now. */
function configure(
  device: number,
  { backing, file, readonly }: { backing: number; file: string; readonly: boolean },
): boolean {
  const config = Buffer.alloc(CONFIG_BYTES);
  config.writeUInt32LE(backing, 0);
  config.writeUInt32LE(LO_FLAGS_AUTOCLEAR | (readonly ? LO_FLAGS_READ_ONLY : 0), INFO_FLAGS);
  Buffer.from(file).copy(config, INFO_FILE_NAME, 0, FILE_NAME_BYTES);
  if (libc.ioctl(device, LOOP_CONFIGURE, config) === 0) return true;
  const number = lastErrno();
  if (number === errno.EBUSY) return false;
  throw new SyscallError('ioctl', number, `put a loop device over ${JSON.stringify(file)}`);
}
