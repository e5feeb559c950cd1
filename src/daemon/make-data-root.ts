import { constants } from 'node:fs';
import { mkdir, open, readdir } from 'node:fs/promises';
import { EngineError } from '../errors/engine-error.ts';

const MODE = 0o710;
/** One of these says that the folder is an engine's. */
const OURS = new Set(['state.db', 'engine-id', 'registry']);
/** What a new file system, or a program that stands in line for the folder, may have in it. */
const NOBODYS = new Set(['lost+found', 'lock']);

/**
 * The data root: root's, and closed to others. Containers write below it with the rights of whoever they like, so that a program of root's in a volume would be
 * everybody's. A disk that was mounted there comes with rights of its own, which are narrowed.
 *
 * @throws EngineError "forbidden" for somebody else's folder, and for one with other things in it that others can look into.
 */
export async function makeDataRoot(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: MODE });
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const { uid, mode } = await folder.stat();
    if (uid !== 0)
      throw new EngineError(
        'forbidden',
        `Cannot keep data in ${path}: it belongs to user ${uid}, not to root`,
      );
    if ((mode & 0o7777 & ~MODE) === 0) return;
    const names = await readdir(path);
    if (!names.some((name) => OURS.has(name)) && !names.every((name) => NOBODYS.has(name)))
      throw new EngineError(
        'forbidden',
        `Cannot keep data in ${path}: others may look into it, and it holds other files`,
        { hint: `Give the engine a folder of its own, or close this one: chmod 710 ${path}` },
      );
    await folder.chmod(MODE);
  } finally {
    await folder.close();
  }
}
