import { EngineError } from '../../errors/engine-error.ts';
import { SyscallError } from '../../sys/libc.ts';
import { openPlaceBeneath } from '../../sys/open-beneath.ts';

const [ENOENT, EXDEV, ENOTDIR, ELOOP] = [2, 18, 20, 40];

/**
 * Open a place within a volume or an image, links followed and none of them out, while others may be at work there.
 *
 * @returns a descriptor of the place alone, to be closed by the caller.
 * @throws EngineError in Docker's words.
 */
export function openSubpath(base: string, subpath: string): number {
  try {
    return openPlaceBeneath(base, subpath);
  } catch (error) {
    if (error instanceof SyscallError) throw subpathError(base, subpath, error);
    throw error;
  }
}

function subpathError(base: string, subpath: string, cause: SyscallError): EngineError {
  const path = `${base}/${subpath}`;
  switch (cause.errno) {
    case EXDEV:
      return new EngineError(
        'invalid',
        `path concatenation escapes the base directory, base: ${base}, subpath: ${subpath}`,
        { cause },
      );
    case ENOENT:
      return new EngineError(
        'not-found',
        `cannot access path ${path}: lstat ${path}: no such file or directory`,
        { cause },
      );
    case ENOTDIR:
      return new EngineError(
        'internal',
        `error while resolving symlinks in combined path ${JSON.stringify(path)}: not a directory`,
        { cause },
      );
    case ELOOP:
      return new EngineError(
        'internal',
        `error while resolving symlinks in combined path ${JSON.stringify(path)}: EvalSymlinks: too many links`,
        { cause },
      );
    default:
      return cause;
  }
}
