import { EngineError } from '../../../../errors/engine-error.ts';
import { saysDirectory, splitEntry } from './local-path.ts';

export interface CopySource {
  /** What it is called at the other end; `.`: only what is in it goes there. */
  name: string;
  isDirectory: boolean;
}

export interface CopyDestination {
  path: string;
  exists: boolean;
  isDirectory: boolean;
}

/** Where the source's own node is to stand: `name` in `directory`; `.`: it is `directory`. */
export interface PlaceOfCopy {
  directory: string;
  name: string;
}

/**
 * Docker's table of what `cp` does (docs.docker.com/reference/cli/docker/container/cp): into a directory that is there, else under the destination's name.
 *
 * @throws EngineError "invalid" in Docker's words for what fits nowhere.
 */
export function placeOfCopy(source: CopySource, destination: CopyDestination): PlaceOfCopy {
  const { path, exists, isDirectory } = destination;
  if (exists && isDirectory) return { directory: path, name: source.name === '/' ? '.' : source.name };
  if (exists && source.isDirectory) throw new EngineError('invalid', 'cannot copy directory');
  if (!exists && !source.isDirectory && saysDirectory(path))
    throw new EngineError('invalid', 'no such directory');
  return splitEntry(path);
}
