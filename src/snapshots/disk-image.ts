import {
  chmodSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { attachLoop } from '../sys/loop-device.ts';
import { isFilesystemRoot, mountFilesystem } from '../sys/mount.ts';
import { runChecked } from '../sys/spawn.ts';
import { storageError } from './storage-error.ts';

const MIN_BYTES = 256 * 1024 * 1024;

/** Whether a root keeps its layers in a file system of their own. */
export function hasDiskImage(root: string): boolean {
  return existsSync(imagePath(root));
}

/** For those who may give the root another place. */
export function diskImageWarning(root: string): string {
  return `${root} is on a file system that nothing can be stacked on: layers and containers are in ${imagePath(root)}. A data root on ext4 or XFS (in a container: a volume) does without.`;
}

/**
 * A file system of its own for a root on which none can be stacked (an overlay of a container's, a network's): ext4 in a sparse file that can
 * grow to the size of what it lies on and gives back what is deleted in it. Made at first use, mounted by a loop device, found again while it is mounted.
 *
 * @returns where it is mounted. @throws EngineError where there is no mkfs.ext4 or no loop device.
 */
export async function mountDiskImage(root: string): Promise<string> {
  const target = join(root, 'disk');
  mkdirSync(target, { recursive: true, mode: 0o711 });
  if (isFilesystemRoot(target)) return target;
  const image = imagePath(root);
  try {
    if (!existsSync(image)) await makeImage(root, image);
    using device = attachLoop(image);
    mountFilesystem({
      type: 'ext4',
      target,
      parameters: [
        ['source', device.path],
        ['discard', true],
      ],
      attributes: ['nodev'],
    });
  } catch (error) {
    throw storageError(error, `keep layers in ${image}`);
  }
  chmodSync(target, 0o711);
  return target;
}

function imagePath(root: string): string {
  return join(root, 'disk.img');
}

/** Whole or absent. */
async function makeImage(root: string, image: string): Promise<void> {
  const { blocks, bsize } = statfsSync(root);
  const fresh = `${image}.new`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, '', { mode: 0o600 });
  truncateSync(fresh, Math.max(MIN_BYTES, blocks * bsize));
  const features = 'lazy_itable_init=1,lazy_journal_init=1,nodiscard';
  await runChecked(['mkfs.ext4', '-q', '-F', '-m', '0', '-E', features, fresh]);
  renameSync(fresh, image);
}
