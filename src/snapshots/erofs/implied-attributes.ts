import { open, readFile, writeFile } from 'node:fs/promises';
import { TarReader } from '../../archive/tar-reader.ts';
import type { NodeAttributes, Tree } from '../../archive/tree.ts';
import { setImpliedAttributes } from '../../erofs/inode-writer.ts';
import type { StagedLayer } from '../snapshotter.ts';
import { IndexBuilder } from './index-builder.ts';
import { SideFile } from './side-file.ts';
import { readStagedIndex, stageFiles } from './stage-files.ts';

const scanBytes = 1 << 20;

/**
 * Give the directories that a staged layer only implies the owner, mode, time and xattrs they have in the chain below.
 * Without xattrs that is done in place; with them the index is made again from the tar.
 */
export async function settleImpliedDirectories(staged: StagedLayer, below: Tree): Promise<void> {
  const files = stageFiles(staged.staging.directory);
  const { implied } = await readStagedIndex(staged.staging.directory);
  const known = new Map<string, NodeAttributes>();
  for (const { path } of implied) {
    const attributes = await below.lookup(path);
    if (attributes?.type === 'directory') known.set(path, attributes);
  }
  if (known.size > 0) {
    let image: Buffer = await readFile(files.index);
    if ([...known.values()].some(({ xattrs }) => xattrs.size > 0)) image = await rebuild(staged, known);
    else
      for (const { path, offset } of implied) {
        const attributes = known.get(path);
        if (attributes !== undefined) setImpliedAttributes(image, offset, attributes);
      }
    await writeFile(files.index, image);
  }
}

async function rebuild(staged: StagedLayer, known: ReadonlyMap<string, NodeAttributes>): Promise<Buffer> {
  // The side file itself is there already.
  const builder = new IndexBuilder(new SideFile(undefined));
  const reader = new TarReader(builder);
  const file = await open(stageFiles(staged.staging.directory).tar, 'r');
  try {
    const buffer = Buffer.allocUnsafe(scanBytes);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) break;
      reader.write(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
  reader.finish();
  return builder.finish(staged.tarSize, known).image.bytes;
}
