import { lstatSync, mkdirSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { SnapshotKey, Snapshotter } from '../../snapshots/snapshotter.ts';
import { type IdMap, type Ids, rootOf, sameIds } from '../../sys/id-map.ts';

const TRIAL = 'userns-trial' as SnapshotKey;

/**
 * Make sure at the daemon's start that containers with these ids can be: by mounting one's root, and by a look at the way to it.
 *
 * @throws EngineError "unavailable" telling what is in the way.
 */
export async function checkRemap(
  map: IdMap,
  { snapshotter, rootfsAll }: { snapshotter: Snapshotter; rootfsAll: string },
): Promise<void> {
  checkWay(rootfsAll, rootOf(map));
  const target = join(rootfsAll, TRIAL);
  mkdirSync(target, { recursive: true, mode: 0o700 });
  const { signal } = new AbortController();
  try {
    // A daemon that was killed in the midst of it.
    await snapshotter.unmount(TRIAL, target);
    await snapshotter.remove(TRIAL);
    await snapshotter.prepare(TRIAL, undefined, { signal });
    await snapshotter.mount(TRIAL, target, { idMap: map, volatile: true });
    mkdirSync(join(target, 'written'));
    if (!sameIds(lstatSync(target), rootOf(map))) throw new Error('the mount does not show other owners');
  } catch (error) {
    throw new EngineError('unavailable', `Cannot use userns-remap: ${messageOf(error)}`, {
      cause: error,
      hint: 'It needs Linux 5.19, and a file system below the data root that takes idmapped mounts (ext4, xfs, btrfs).',
    });
  } finally {
    await snapshotter.unmount(TRIAL, target);
    await snapshotter.remove(TRIAL);
    rmdirSync(target);
  }
}

/** A container's root begins there: its processes have to get through, though they may not look around. */
function checkWay(path: string, root: Ids): void {
  for (let folder = path; folder !== '/'; folder = dirname(folder)) {
    const { mode, uid, gid } = statSync(folder);
    const bit = uid === root.uid ? 0o100 : gid === root.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0)
      throw new EngineError(
        'unavailable',
        `a subdirectory in your exec root path (${folder}) restricts access to the remapped root uid/gid; please fix by allowing 'o+x' permissions on existing directories`,
      );
  }
}
