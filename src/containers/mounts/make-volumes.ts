import { EngineError } from '../../errors/engine-error.ts';
import type { Statement } from '../../storage/state-db.ts';
import { isMountedVolume } from '../../volumes/volume-options.ts';
import type { Volume } from '../../volumes/volumes.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import { fillVolumes, type VolumeToFill } from './fill-volumes.ts';
import { type MountPoint, volumePoints } from './mount-point.ts';
import type { MountPlan } from './plan-mounts.ts';

/**
 * Make the volumes of a new container, whose snapshot is there, with what its image has in their places, and then the container: `insert` is given its mounts
 * and what makes the new volumes be there when it is. On failure nothing is left of them.
 *
 * Nobody makes, takes or removes one of these volumes meanwhile.
 *
 * @returns the new ones.
 * @throws EngineError in Docker's words.
 */
export async function withVolumes(
  container: Pick<ContainerRecord, 'id' | 'idMap'>,
  plan: MountPlan,
  deps: ContainerDependencies,
  insert: (mounts: MountPoint[], statements: Statement[]) => Promise<void>,
): Promise<Volume[]> {
  for (const wanted of plan.volumes.values()) deps.volumes.check(wanted);
  const names = [...new Set(volumePoints(plan.points).map(({ name }) => name))];
  return await deps.volumes.exclusively(names, async () => {
    const made: Volume[] = [];
    try {
      const volumes = await findOrMake(names, plan, deps, made);
      await fillVolumes(container, toFill(plan, volumes, made), deps);
      const mounts = plan.points.map((point) => settled(point, volumes));
      await insert(mounts, deps.volumes.insertions(made));
      return made;
    } catch (error) {
      await deps.volumes.discard(made.map(({ name }) => name));
      throw error;
    }
  });
}

async function findOrMake(
  names: readonly string[],
  plan: MountPlan,
  deps: ContainerDependencies,
  made: Volume[],
): Promise<Map<string, Volume>> {
  const volumes = new Map<string, Volume>();
  for (const name of names) {
    const wanted = plan.volumes.get(name);
    // Nobody has a name that was drawn just now.
    const there = wanted?.anonymous === true ? undefined : await deps.volumes.get(name);
    if (there === undefined && wanted === undefined)
      throw new EngineError('not-found', `get ${name}: no such volume`);
    const volume = there ?? (await deps.volumes.prepare(wanted ?? {}));
    if (there === undefined) made.push(volume);
    volumes.set(name, volume);
  }
  return volumes;
}

function toFill(
  plan: MountPlan,
  volumes: ReadonlyMap<string, Volume>,
  made: readonly Volume[],
): VolumeToFill[] {
  return volumePoints(plan.points).flatMap(({ name, destination }) => {
    const copy = plan.copies.get(destination);
    const volume = volumes.get(name);
    if (copy === undefined || volume === undefined) return [];
    return [{ volume, destination, declared: copy.declared, fresh: made.includes(volume) }];
  });
}

/** An anonymous volume that is borrowed stays what it is, as does one that has a name. */
function settled(point: MountPoint, volumes: ReadonlyMap<string, Volume>): MountPoint {
  if (point.type !== 'volume') return point;
  const options = volumes.get(point.name)?.options;
  return { ...point, device: options !== undefined && isMountedVolume(options) };
}
