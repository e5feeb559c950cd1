import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { errno } from './errno.ts';
import { cString, SyscallError } from './libc.ts';
import { O_PATH, openat2, RESOLVE } from './openat2.ts';
import { closeFd } from './pipe.ts';

/** EAGAIN: renames race with the walk without an end. */
const ABSENT: readonly number[] = [errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EAGAIN];

/**
 * The text of a regular file inside `root`, at most `maxBytes` of it; undefined when there is none. Links are followed as if `root` were
 * `/`, by the kernel, so that nobody who works in there at the same time can lead the way out. What is no file is never opened.
 *
 * @throws SyscallError where the kernel has no openat2 (before 5.6).
 */
export function readFileInLiveRoot(root: string, path: string, maxBytes: number): string | undefined {
  const directory = openSync(root, constants.O_DIRECTORY | O_PATH);
  try {
    const place = openPlace(directory, path);
    if (place === undefined) return undefined;
    try {
      return fstatSync(place).isFile() ? readPlace(place, maxBytes) : undefined;
    } finally {
      closeFd(place);
    }
  } finally {
    closeSync(directory);
  }
}

function openPlace(directory: number, path: string): number | undefined {
  try {
    return openat2(directory, cString(path), {
      flags: O_PATH,
      resolve: RESOLVE.inRoot | RESOLVE.noMagicLinks,
    });
  } catch (error) {
    if (error instanceof SyscallError && ABSENT.includes(error.errno)) return undefined;
    throw error;
  }
}

function readPlace(place: number, maxBytes: number): string {
  const fd = openSync(`/proc/self/fd/${place}`, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const buffer = Buffer.alloc(Math.min(fstatSync(fd).size, maxBytes));
    let filled = 0;
    while (filled < buffer.length) {
      const count = readSync(fd, buffer, filled, buffer.length - filled, null);
      if (count === 0) break;
      filled += count;
    }
    return buffer.toString('utf8', 0, filled);
  } finally {
    closeSync(fd);
  }
}
