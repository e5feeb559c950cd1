import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import { comparePathBytes, decodePath, encodePath } from '../../../archive/path-bytes.ts';
import { type PathMatch, PatternMatcher } from '../../../archive/pattern-matcher.ts';
import { type TarSource, writeTar } from '../../../archive/tar-writer.ts';
import { EngineError, errnoCodeOf } from '../../../errors/engine-error.ts';
import { reasonOf } from '../save-output.ts';

const CHUNK_BYTES = 1 << 20;

/**
 * A directory as a tar without what the ignore patterns take away. Owners are root, as in any build's context; sockets are left out.
 *
 * @throws EngineError "invalid" for what can't be read.
 */
export function contextArchive(root: string, ignore: readonly string[]): AsyncIterable<Uint8Array> {
  const matcher = ignore.length === 0 ? undefined : new PatternMatcher(ignore);
  return writeTar(members(root, matcher));
}

/** @throws EngineError in Docker's words unless `path` is a directory. */
export async function checkDirectory(path: string, shown: string): Promise<void> {
  try {
    if ((await stat(path)).isDirectory()) return;
  } catch (error) {
    throw new EngineError('invalid', `unable to prepare context: path ${JSON.stringify(shown)} not found`, {
      cause: error,
    });
  }
  throw new EngineError(
    'invalid',
    `unable to prepare context: path ${JSON.stringify(shown)} is not a directory`,
  );
}

interface Folder {
  path: string;
  match: PathMatch | undefined;
}

function* members(root: string, matcher: PatternMatcher | undefined): Generator<TarSource> {
  const links = new Map<string, string>();
  const todo: Folder[] = [{ path: '', match: undefined }];
  for (let folder = todo.pop(); folder !== undefined; folder = todo.pop()) {
    const below: Folder[] = [];
    for (const name of namesIn(root, folder.path)) {
      const path = folder.path === '' ? name : `${folder.path}/${name}`;
      const match = matcher?.match(path, folder.match);
      const info = infoOf(root, path);
      if (info === undefined) continue;
      if (match?.matched === true) {
        const mayHold = info.isDirectory() && matcher?.takesAllBelow(path, match) === false;
        if (mayHold) below.push({ path, match });
        continue;
      }
      const member = memberOf(root, path, { info, links });
      if (member !== undefined) yield member;
      if (info.isDirectory()) below.push({ path, match });
    }
    todo.push(...below.reverse());
  }
}

function namesIn(root: string, path: string): string[] {
  try {
    const names = readdirSync(hostPath(root, path), { encoding: 'buffer' });
    return names.map(decodePath).sort(comparePathBytes);
  } catch (error) {
    throw new EngineError('invalid', `can't read ${path === '' ? 'the context' : path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** Bytes, since a name need not be UTF-8. */
function hostPath(root: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(root === '/' ? '' : root), Buffer.from('/'), encodePath(path)]);
}

/** Undefined: it went away meanwhile. */
function infoOf(root: string, path: string): Stats | undefined {
  try {
    return lstatSync(hostPath(root, path));
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function memberOf(
  root: string,
  path: string,
  { info, links }: { info: Stats; links: Map<string, string> },
): TarSource | undefined {
  const entry = { path, mode: info.mode & 0o7777, mtimeSeconds: Math.floor(info.mtimeMs / 1000), size: 0 };
  if (info.isDirectory()) return { entry: { ...entry, type: 'directory' } };
  if (info.isSymbolicLink()) {
    const linkTarget = decodePath(readlinkSync(hostPath(root, path), { encoding: 'buffer' }));
    return { entry: { ...entry, type: 'symlink', linkTarget } };
  }
  if (info.isFIFO()) return { entry: { ...entry, type: 'fifo' } };
  if (!info.isFile()) return undefined;
  const inode = `${info.dev}:${info.ino}`;
  const first = info.nlink > 1 ? links.get(inode) : undefined;
  if (first !== undefined) return { entry: { ...entry, type: 'hardlink', linkTarget: first } };
  if (info.nlink > 1) links.set(inode, path);
  return fileMember(root, path, entry);
}

/**
 * As long as it is when it is opened: what is written to it meanwhile is cut off, or filled up with zeros. Read synchronously: twenty thousand
 * small files would else be a hundred thousand rounds through the thread pool.
 */
function fileMember(
  root: string,
  path: string,
  entry: { path: string; mode: number; mtimeSeconds: number },
): TarSource {
  let file: number;
  try {
    file = openSync(hostPath(root, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw new EngineError('invalid', `can't open ${path}: ${reasonOf(error)}`, { cause: error });
  }
  const { size } = fstatSync(file);
  return { entry: { ...entry, type: 'file', size }, data: exactly(file, size) };
}

function* exactly(file: number, size: number): Generator<Uint8Array> {
  try {
    for (let left = size; left > 0; ) {
      const piece = Buffer.alloc(Math.min(left, CHUNK_BYTES));
      const read = readSync(file, piece, 0, piece.length, null);
      const taken = read === 0 ? piece.length : read;
      left -= taken;
      yield piece.subarray(0, taken);
    }
  } finally {
    closeSync(file);
  }
}
