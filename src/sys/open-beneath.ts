import { closeSync, constants, openSync } from 'node:fs';
import { cString } from './libc.ts';
import { O_PATH, openat2, RESOLVE } from './openat2.ts';

const HERE = Buffer.from('.\0');

/**
 * Open `path` (NUL-terminated bytes, relative) below the directory `root` for reading: no component may be a symbolic link or lead out, whatever is
 * being done to the tree meanwhile; a pipe isn't waited for.
 *
 * @returns a descriptor, the caller's to close. @throws SyscallError: ELOOP for a link, EXDEV for a way out.
 */
export function openBeneath(root: number, path: Buffer): number {
  return openat2(root, path.length <= 1 ? HERE : path, {
    flags: constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    resolve: RESOLVE.beneath | RESOLVE.noSymlinks | RESOLVE.noMagicLinks,
  });
}

/**
 * Open what stands at `path` below the directory `base`, for its place alone (O_PATH). Links are followed, and refused where they lead out.
 *
 * @returns a descriptor, the caller's to close. @throws SyscallError, EXDEV for what leads out of `base`.
 */
export function openPlaceBeneath(base: string, path: string): number {
  const directory = openSync(base, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const how = { flags: O_PATH, resolve: RESOLVE.beneath | RESOLVE.noMagicLinks };
    return openat2(directory, cString(path), how);
  } finally {
    closeSync(directory);
  }
}
