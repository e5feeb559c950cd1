import { createWriteStream } from 'node:fs';
import { chmod, link, lstat, mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import { readTar, type TarMember } from './tar-reader.ts';

const MAX_LINKS = 1_000_000;

/**
 * Unpack a tar of one file or folder to `localPath`, which must not be there: whole or not at all. Files, folders and links only.
 *
 * What the tar says may come from a container, and is trusted with nothing: it is unpacked in a fresh folder, and no link is made there
 * before everything else is written, so that nothing is written through one.
 *
 * @throws EngineError "conflict" when `localPath` is there, "invalid" for a tar with paths that lead out or that isn't whole.
 */
export async function extractTar(chunks: AsyncIterable<Uint8Array>, localPath: string): Promise<void> {
  const target = resolve(localPath);
  if (await exists(target))
    throw new EngineError('conflict', `Cannot copy to ${localPath}: it is there already`);
  const folder = await mkdtemp(join(dirname(target), '.sampan-copy-'));
  try {
    const top = await unpack(chunks, folder);
    await rename(join(folder, top), target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @returns the one name at the top. */
async function unpack(chunks: AsyncIterable<Uint8Array>, folder: string): Promise<string> {
  const links: { path: string; target: string }[] = [];
  const folders: { path: string; mode: number }[] = [];
  let top: string | undefined;
  for await (const member of readTar(chunks)) {
    const steps = stepsOf(member.name);
    top ??= steps[0];
    if (steps[0] === undefined || steps[0] !== top) throw hostile(member.name);
    const path = join(folder, ...steps);
    if (member.type === 'link') links.push({ path, target: member.target });
    else if (member.type === 'folder') {
      await mkdir(path, { recursive: true, mode: 0o700 });
      folders.push({ path, mode: member.mode });
    } else await writeMember(member, path, folder);
    if (links.length + folders.length > MAX_LINKS) throw hostile(member.name);
  }
  if (top === undefined)
    throw new EngineError('invalid', 'The archive is empty', { code: 'archive-truncated' });
  for (const { path, target } of links) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await symlink(target, path);
  }
  // Innermost first: one that may not be written holds up what is below it.
  for (const { path, mode } of folders.reverse()) await chmod(path, mode & 0o777);
  return top;
}

async function writeMember(member: TarMember, path: string, folder: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  if (member.type === 'hard-link') await link(join(folder, ...stepsOf(member.target)), path);
  else if (member.type === 'file')
    await pipeline(
      Readable.from(member.content(), { objectMode: false }),
      createWriteStream(path, { flags: 'wx', mode: member.mode & 0o777 }),
    );
}

function stepsOf(name: string): string[] {
  const steps = name.split('/').filter((step) => step !== '' && step !== '.');
  if (name.startsWith('/') || name.includes('\0') || steps.includes('..')) throw hostile(name);
  return steps;
}

function hostile(name: string): EngineError {
  return new EngineError('invalid', `Cannot unpack ${JSON.stringify(name)}: it has no place in the copy`, {
    code: 'archive-hostile',
  });
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    (error: unknown) => {
      if (errnoCodeOf(error) === 'ENOENT') return false;
      throw error;
    },
  );
}
