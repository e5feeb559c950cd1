import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import type { FileRunner } from '../copy/file-job.ts';
import type { RemoteFiles } from './remote-sources.ts';

/** A downloaded file as a context: an archive is indexed, what is none is a Dockerfile. The download is released with it. */
export async function downloadContext(
  download: RemoteFiles,
  options: { directory: string; files: FileRunner; signal: AbortSignal },
): Promise<Pick<RemoteFiles, 'place' | 'release'>> {
  const { place, name } = download;
  if (place.kind !== 'directory') throw new EngineError('internal', 'Cannot read download: it is no file');
  const directory = join(options.directory, randomUUID());
  try {
    const received = await options.files.receive(
      { file: join(place.path, name), directory, orDockerfile: true },
      { signal: options.signal },
    );
    return {
      place: received,
      release: async () => {
        await rm(directory, { recursive: true, force: true });
        await download.release();
      },
    };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}
