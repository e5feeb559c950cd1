import { ptr } from 'bun:ffi';
import { constants } from 'node:fs';
import { lastErrno, libc, SyscallError } from './libc.ts';

const SYS_OPENAT2 = 437n;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_NO_SYMLINKS = 0x04n;
const RESOLVE_BENEATH = 0x08n;

/**
 * Open `path` (NUL-terminated bytes, relative) below the directory `root` for reading: no component may be a symbolic link or lead out, whatever is
 * being done to the tree meanwhile; a pipe isn't waited for. openat2(2), Linux 5.6.
 *
 * @returns a descriptor, the caller's to close. @throws SyscallError: ELOOP for a link, EXDEV for a way out.
 */
export function openBeneath(root: number, path: Buffer): number {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | O_CLOEXEC;
  const how = new BigUint64Array([
    BigInt(flags),
    0n,
    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
  ]);
  const name = path.length <= 1 ? here : path;
  const [nameAt, howAt] = [BigInt(ptr(name)), BigInt(ptr(how))];
  const fd = Number(libc.syscall(SYS_OPENAT2, BigInt(root), nameAt, howAt, 24n, 0n, 0n));
  if (fd === -1)
    throw new SyscallError(
      'openat2',
      lastErrno(),
      `open ${JSON.stringify(path.toString('utf8', 0, path.length - 1))}`,
    );
  return fd;
}

const O_CLOEXEC = 0o2000000;
const here = Buffer.from('.\0');
