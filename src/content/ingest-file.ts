import { type FileHandle, open, stat } from 'node:fs/promises';
import { EngineError, errnoCodeOf } from '../errors/engine-error.ts';
import { libc } from '../sys/libc.ts';

const LOCK_EX_NB = 2 | 4;

/**
 * Open (or make) an ingest's file and lock it by its inode: the lock lives and dies with the handle. A file that was published or
 * removed between open and lock is let go and opened anew.
 *
 * @throws EngineError "conflict" while another handle, in whatever thread or process, has the lock.
 */
export async function openIngestFile(path: string, key: string): Promise<FileHandle> {
  for (;;) {
    const handle = await openOrMake(path);
    try {
      if (libc.flock(handle.fd, LOCK_EX_NB) === -1)
        throw new EngineError('conflict', `Cannot open ingest ${JSON.stringify(key)}: it is under way`);
      if (await isStillAt(handle, path)) return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
  }
}

async function openOrMake(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error;
  }
  try {
    return await open(path, 'wx+', 0o600);
  } catch (error) {
    if (errnoCodeOf(error) !== 'EEXIST') throw error;
    return await open(path, 'r+');
  }
}

async function isStillAt(handle: FileHandle, path: string): Promise<boolean> {
  try {
    const [own, named] = await Promise.all([handle.stat(), stat(path)]);
    return own.ino === named.ino && own.dev === named.dev;
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
