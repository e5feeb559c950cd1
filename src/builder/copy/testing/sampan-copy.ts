import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../../errors/engine-error.ts';
import type { FilePlace } from '../../sources/file-place.ts';
import { OpenPlaces } from '../../sources/open-file-place.ts';
import { planCopy } from '../plan-copy.ts';
import { runFileJob } from '../run-file-job.ts';
import type { CopyCase } from './copy-case.ts';
import { layerOf, listing, placeOfStage } from './copy-fixture.ts';
import { makeContext } from './docker-copy.ts';

export const jobContext = { signal: new AbortController().signal, progress: () => undefined };

/** The actions of a case with its files at `place`. */
export function actionsOf(test: CopyCase, place: FilePlace) {
  const { flags = {}, command = 'COPY', destination, workdir = '/' } = test;
  const { chown = '', chmod = '', parents = false, exclude = [], unpack } = flags;
  const sources = test.sources.map((path) => ({ kind: 'path' as const, place, path }));
  return planCopy(sources, { command, destination, workdir, chown, chmod, parents, exclude, unpack });
}

/** Let us copy as the case says, and list the image as it is then. */
export async function sampanCopy(test: CopyCase): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), 'copy-sampan-'));
  const places = new OpenPlaces({ created: 0 });
  try {
    const context = await makeContext(root, test);
    const parent = test.parent.length === 0 ? [] : [await layerOf(join(root, 'parent'), test.parent)];
    const place: FilePlace =
      test.from === true
        ? { kind: 'layers', layers: [await layerOf(join(root, 'src'), test.files)] }
        : { kind: 'directory', path: context };
    const actions = actionsOf(test, place);
    await runFileJob({ kind: 'digest', actions }, jobContext);
    const staging = { driver: 'erofs' as const, directory: join(root, 'stage') };
    const below = test.flags?.link === true ? [] : parent;
    const job = { kind: 'copy' as const, staging, parent: below, users: parent, actions, created: 1000 };
    await runFileJob({ ...job, compression: 'none' }, jobContext);
    return listing(places.open({ kind: 'layers', layers: [...parent, placeOfStage(staging.directory)] }));
  } catch (error) {
    return [`error: ${messageOf(error)}`];
  } finally {
    places.close();
    rmSync(root, { recursive: true, force: true });
  }
}
