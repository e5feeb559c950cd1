import { ptr } from 'bun:ffi';
import { errno } from './errno.ts';
import { lastErrno, libc, SyscallError } from './libc.ts';

/** The same number on x86-64 and arm64. */
const SYS_OPENAT2 = 437n;
const O_CLOEXEC = 0o2000000;
/** struct open_how { flags, mode, resolve } */
const HOW_BYTES = 24n;
/** The kernel gives up on a walk that renames have raced (EAGAIN). */
const ATTEMPTS = 32;

/** An open that only names a place. */
export const O_PATH = 0o10000000;

/** How the walk goes: linux/openat2.h. */
export const RESOLVE = {
  noXdev: 0x01n,
  noMagicLinks: 0x02n,
  noSymlinks: 0x04n,
  beneath: 0x08n,
  inRoot: 0x10n,
} as const;

/**
 * openat2(2), Linux 5.6: open `path` (NUL-terminated) from `directory`, in one walk of the kernel's that nobody can race.
 *
 * @returns a descriptor, the caller's to close. @throws SyscallError.
 */
export function openat2(directory: number, path: Buffer, how: { flags: number; resolve: bigint }): number {
  return new Opener(how).open(directory, path);
}

/** The same way to open many. */
export class Opener {
  readonly #how: BigUint64Array;
  readonly #at: bigint;

  constructor({ flags, resolve }: { flags: number; resolve: bigint }) {
    this.#how = new BigUint64Array([BigInt(flags | O_CLOEXEC), 0n, resolve]);
    this.#at = BigInt(ptr(this.#how));
  }

  /** As `openat2`. */
  open(directory: number, path: Buffer): number {
    const [from, name] = [BigInt(directory), BigInt(ptr(path))];
    for (let attempt = 1; ; attempt++) {
      const fd = Number(libc.syscall(SYS_OPENAT2, from, name, this.#at, HOW_BYTES, 0n, 0n));
      if (fd >= 0) return fd;
      const number = lastErrno();
      if (number === errno.EAGAIN && attempt < ATTEMPTS) continue;
      const shown = JSON.stringify(path.toString('utf8', 0, path.indexOf(0)));
      throw new SyscallError('openat2', number, `open ${shown}`);
    }
  }
}
