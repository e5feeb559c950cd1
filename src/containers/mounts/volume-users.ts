import type { ContainerDependencies } from '../dependencies.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import { volumePoints } from './mount-point.ts';

type Holder = { record: Pick<ContainerRecord, 'id' | 'mounts'> };

/** Ids of the containers that have a volume, running or not. */
export function volumeUsers(containers: Iterable<Holder>, volume: string): string[] {
  return [...containers]
    .filter(({ record }) => volumePoints(record.mounts).some(({ name }) => name === volume))
    .map(({ record }) => record.id);
}

/** Containers by the volumes they have. */
export function usersByVolume(
  records: Iterable<Pick<ContainerRecord, 'id' | 'mounts'>>,
): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const { id, mounts } of records)
    for (const { name } of volumePoints(mounts)) {
      const own = users.get(name);
      if (own === undefined) users.set(name, [id]);
      else if (!own.includes(id)) own.push(id);
    }
  return users;
}

/**
 * Run `remove` with the volumes that go with a container: those that nobody named and no other container has. None of them is taken meanwhile. With `volumes`
 * false none go.
 */
export async function withOwnVolumes(
  record: Pick<ContainerRecord, 'id' | 'mounts'>,
  context: {
    containers: () => Iterable<Holder>;
    deps: Pick<ContainerDependencies, 'volumes'>;
    volumes: boolean;
  },
  remove: (volumes: string[]) => Promise<void>,
): Promise<void> {
  const anonymous = volumePoints(record.mounts).filter((point) => point.anonymous);
  const names = context.volumes ? [...new Set(anonymous.map(({ name }) => name))] : [];
  await context.deps.volumes.exclusively(names, async () => {
    const others = [...context.containers()].filter((other) => other.record.id !== record.id);
    await remove(names.filter((name) => volumeUsers(others, name).length === 0));
  });
}
