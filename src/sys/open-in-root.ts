import { ptr } from 'bun:ffi';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { errno } from './errno.ts';
import { cString, lastErrno, libc, SyscallError } from './libc.ts';
import { closeFd } from './pipe.ts';

const SYS_OPENAT2 = 437n;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_IN_ROOT = 0x10n;
/** The kernel gives up on a walk that renames have raced (openat2(2), EAGAIN). */
const ATTEMPTS = 32;
const ABSENT: readonly number[] = [errno.ENOENT, errno.ENOTDIR, errno.ELOOP];

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

/** An fd that only names a place (O_PATH). */
function openPlace(directory: number, path: string): number | undefined {
  const name = cString(path);
  const how = new BigUint64Array([BigInt(O_PATH | O_CLOEXEC), 0n, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS]);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const fd = libc.syscall(SYS_OPENAT2, BigInt(directory), BigInt(ptr(name)), BigInt(ptr(how)), 24n, 0n, 0n);
    if (Number(fd) >= 0) return Number(fd);
    const number = lastErrno();
    if (ABSENT.includes(number)) return undefined;
    if (number !== errno.EAGAIN) throw new SyscallError('openat2', number, `open ${path} in a root`);
  }
  return undefined;
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
