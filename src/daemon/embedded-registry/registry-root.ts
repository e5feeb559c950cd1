import { lstat, mkdir, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalContentStore } from '../../content/local-content-store.ts';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import { RepositoryIndex } from '../../registry/server/repository-index.ts';
import { syncDirectory } from '../../storage/atomic-file.ts';
import { lockFile } from '../../storage/file-lock.ts';

/**
 * A registry's folder: `content/` (blobs; the engine's own, by a link, where the registry is the engine's), `repositories/` (what was pushed),
 * `cache/` (what was fetched from an upstream), `lock`, and `control.sock` while it is served.
 */
export interface RegistryRoot {
  path: string;
  content: LocalContentStore;
  /** The content is an engine's, which alone may remove from it. */
  isShared: boolean;
  pushed: RepositoryIndex;
  cached: RepositoryIndex;
}

/** One that nobody else changes meanwhile. */
export interface LockedRegistryRoot extends RegistryRoot {
  release(): void;
}

/** @throws EngineError "conflict" while another process has it. */
export async function openRegistryRoot(path: string): Promise<LockedRegistryRoot> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const lock = lockFile(join(path, 'lock'), "the registry's folder");
  try {
    return { ...(await readRegistryRoot(path)), release: () => lock.release() };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** As it is at this moment, to look at. */
export async function readRegistryRoot(path: string): Promise<RegistryRoot> {
  const isShared = (await lstat(join(path, 'content')).catch(absent))?.isSymbolicLink() === true;
  const [content, pushed, cached] = await Promise.all([
    LocalContentStore.open(join(path, 'content')),
    RepositoryIndex.open(join(path, 'repositories')),
    RepositoryIndex.open(join(path, 'cache')),
  ]);
  return { path, content, isShared, pushed, cached };
}

/** The registry of a data root, over the engine's content. The caller holds the data root's lock. */
export async function openEngineRegistryRoot(dataRoot: string): Promise<LockedRegistryRoot> {
  const path = join(dataRoot, 'registry');
  await mkdir(path, { recursive: true, mode: 0o700 });
  await shareContent(path, join(dataRoot, 'content'));
  return await openRegistryRoot(path);
}

/**
 * Releases before the registry shared the engine's content gave it a store of its own: its blobs are moved over, then a link takes its place. A crash in
 * between leaves the rest for the next time.
 */
async function shareContent(registry: string, engineContent: string): Promise<void> {
  const own = join(registry, 'content');
  const kind = await lstat(own).catch(absent);
  if (kind?.isSymbolicLink() === true) return;
  await LocalContentStore.open(engineContent);
  if (kind !== undefined) {
    await moveBlobs(join(own, 'blobs', 'sha256'), join(engineContent, 'blobs', 'sha256'));
    await rm(own, { recursive: true });
  }
  await symlink('../content', own);
  await syncDirectory(registry);
}

async function moveBlobs(from: string, to: string): Promise<void> {
  for (const name of (await readdir(from).catch(absent)) ?? [])
    if (/^[a-f0-9]{64}$/.test(name) && (await stat(join(to, name)).catch(absent)) === undefined)
      await rename(join(from, name), join(to, name));
  await syncDirectory(to);
}

function absent(error: unknown): undefined {
  if (errnoCodeOf(error) === 'ENOENT') return undefined;
  throw error;
}
