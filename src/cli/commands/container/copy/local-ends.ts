import type { Stats } from 'node:fs';
import { lstat, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { EngineError, errnoCodeOf } from '../../../../errors/engine-error.ts';
import { reasonOf } from '../../save-output.ts';
import { joinLink, saysContent, splitEntry, withEnd } from './local-path.ts';
import type { CopyDestination, CopySource } from './place-of-copy.ts';

const MAX_LINKS = 10;

/** A local source: where it is read from, and what it is called. Its folder's links are followed; its own only with a slash behind it, or `follow`. */
export async function localSource(
  path: string,
  { follow }: { follow: boolean },
): Promise<CopySource & { path: string }> {
  const { directory, name } = splitEntry(path);
  const found = await lookAt(path, follow);
  const folder = name === '.' ? directory : await realpath(directory);
  const real =
    name === '.'
      ? `${folder}/.`
      : follow
        ? await realpath(path)
        : withEnd(`${folder === '/' ? '' : folder}/${name}`, path);
  return { path: real, name, isDirectory: found.isDirectory() };
}

async function lookAt(path: string, follow: boolean): Promise<Stats> {
  try {
    return await (follow ? stat(path) : lstat(path));
  } catch (error) {
    throw new EngineError('invalid', `lstat ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** A local destination, behind all links; it need not be there. @throws EngineError "invalid" in Docker's words. */
export async function localDestination(path: string): Promise<CopyDestination> {
  let place = path;
  for (let links = 0; ; links++) {
    const found = await lstatIfThere(place);
    if (found === undefined) return await newDestination(place);
    if (!found.isSymbolicLink()) return { path: place, exists: true, isDirectory: found.isDirectory() };
    if (links > MAX_LINKS) throw new EngineError('invalid', `too many symlinks in ${path}`);
    place = joinLink(place, await readlink(place));
  }
}

async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return undefined;
    throw new EngineError('invalid', `lstat ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

async function newDestination(path: string): Promise<CopyDestination> {
  const { directory } = splitEntry(path);
  const folder = await stat(directory).catch((error: unknown) => {
    throw new EngineError('invalid', `stat ${directory}: ${reasonOf(error)}`, { cause: error });
  });
  if (!folder.isDirectory()) throw new EngineError('invalid', 'not a directory');
  return { path, exists: false, isDirectory: false };
}

/** Docker's look at a destination before it asks the daemon for anything. */
export async function checkDestination(path: string): Promise<void> {
  const folder = dirname(saysContent(path) ? path.slice(0, -1) : path);
  if ((await stat(folder).catch(() => undefined)) === undefined)
    throw new EngineError(
      'invalid',
      `invalid output path: directory ${JSON.stringify(folder)} does not exist`,
    );
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isDirectory() || found.isFile()) return;
  if (found.isCharacterDevice() || found.isBlockDevice())
    throw new EngineError(
      'invalid',
      `invalid output path: ${JSON.stringify(path)} must be a directory or a regular file: got a device`,
    );
}

/** The last part of a container's path. */
export function nameInContainer(path: string): string {
  if (saysContent(path) || path === '') return '.';
  return basename(path) || '/';
}
