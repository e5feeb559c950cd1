import { ptr } from 'bun:ffi';
import { closeSync, constants, openSync } from 'node:fs';
import { checked, cString, libc } from './libc.ts';

/** The same number on x86-64 and arm64. */
const OPENAT2 = 437n;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_BENEATH = 0x08n;

/**
 * Open what stands at `path` below the directory `base`, for its place alone (O_PATH): openat2(2), Linux 5.6. Links are followed, and refused where they
 * lead out, in one walk of the kernel's that nobody can race.
 *
 * @returns a descriptor to be closed by the caller.
 * @throws SyscallError, EXDEV for what leads out of `base`.
 */
export function openBeneath(base: string, path: string): number {
  const directory = openSync(base, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    // struct open_how { flags, mode, resolve }
    const how = new BigUint64Array([BigInt(O_PATH | O_CLOEXEC), 0n, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS]);
    const name = cString(path);
    const result = libc.syscall(
      OPENAT2,
      BigInt(directory),
      BigInt(ptr(name)),
      BigInt(ptr(how)),
      BigInt(how.byteLength),
      0n,
      0n,
    );
    return checked(result, 'openat2', `open ${JSON.stringify(path)} below ${JSON.stringify(base)}`);
  } finally {
    closeSync(directory);
  }
}
