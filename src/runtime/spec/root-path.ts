import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';

const MAX_LINKS = 40;

/**
 * Where `path` leads inside `root`: symlinks are followed as if `root` were `/`, and never lead out of it. Nothing has to exist.
 *
 * `stopAt`: a place where something else will be mounted; what the root has below it does not count, and what is left of the way stays
 * below.
 *
 * Only for roots in which nobody else works at the same time (before a start): a walk by names can be raced.
 * @throws EngineError "invalid" when there are more links than the kernel would follow.
 */
export function resolveInRoot(root: string, path: string, options: { stopAt?: string } = {}): string {
  const pending = path.split('/');
  const done: string[] = [];
  let links = 0;
  for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const target = linkTarget(join(root, ...done, part));
    if (target === undefined) {
      done.push(part);
      if (`/${done.join('/')}` === options.stopAt)
        return join(root, ...done, ...pending.filter((left) => left !== '..'));
      continue;
    }
    if (++links > MAX_LINKS)
      throw new EngineError('invalid', `Cannot resolve "${path}": too many symbolic links`);
    if (target.startsWith('/')) done.length = 0;
    pending.unshift(...target.split('/'));
  }
  return join(root, ...done);
}

/**
 * The text of a regular file inside `root`, at most `maxBytes` of it. Undefined when there is none. What is there is looked at first: an
 * image may have a device in the file's place, and to open one can be to use it (a watchdog, a tape).
 */
export function readFileInRoot(root: string, path: string, maxBytes: number): string | undefined {
  const place = resolveInRoot(root, path);
  let fd: number;
  try {
    if (!lstatSync(place).isFile()) return undefined;
    fd = openSync(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(errnoCodeOf(error) ?? '')) return undefined;
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return undefined;
    return readAtMost(fd, Math.min(stat.size, maxBytes));
  } finally {
    closeSync(fd);
  }
}

function readAtMost(fd: number, sizeBytes: number): string {
  const buffer = Buffer.alloc(sizeBytes);
  let filled = 0;
  while (filled < sizeBytes) {
    const count = readSync(fd, buffer, filled, sizeBytes - filled, null);
    if (count === 0) break;
    filled += count;
  }
  return buffer.subarray(0, filled).toString('utf8');
}

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}
