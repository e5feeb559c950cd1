import { lstatSync } from 'node:fs';
import { mkdir, rmdir } from 'node:fs/promises';
import { EngineError, kindOf, messageOf } from '../../errors/engine-error.ts';
import { resolveInRoot } from '../../runtime/spec/root-path.ts';
import { copyDirectory } from '../../snapshots/copying/copy-directory.ts';
import { layOutRoot } from '../../snapshots/root-layout.ts';
import { rootOf } from '../../sys/id-map.ts';
import { copyContent } from '../../volumes/copy-content.ts';
import { isMountedVolume } from '../../volumes/volume-options.ts';
import type { Volume } from '../../volumes/volumes.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import { snapshotKeyOf } from '../tasks/task-starter.ts';
import { UndoStack } from '../tasks/undo.ts';
import { inPatience } from './source-threads.ts';

type Owner = Pick<ContainerRecord, 'id' | 'idMap'>;

export interface VolumeToFill {
  volume: Volume;
  destination: string;
  /** By image or `-v /place`; otherwise by a name or a mount. */
  declared: boolean;
  /** Just made: nobody else has it. */
  fresh: boolean;
}

/**
 * Give volumes that are empty what the container's root has in their place, owner and mode included. The snapshot is there, nobody works in it yet.
 *
 * @throws EngineError "invalid" in Docker's words where a file is in the way.
 */
export async function fillVolumes(
  container: Owner,
  volumes: readonly VolumeToFill[],
  deps: ContainerDependencies,
): Promise<void> {
  const wanted: VolumeToFill[] = [];
  for (const one of volumes) if (await mayBeEmpty(one, deps)) wanted.push(one);
  if (wanted.length === 0) return;
  const mounted = new UndoStack(deps.logger);
  try {
    const root = await mountForFilling(container, deps, mounted);
    for (const one of wanted) {
      const source = contentOf(root, one);
      if (source !== undefined) await fill(source, one, deps);
    }
  } finally {
    await mounted.unwind();
  }
}

/** One that has content already, as most do that are there, needs no look at the image. */
async function mayBeEmpty({ volume, fresh }: VolumeToFill, deps: ContainerDependencies): Promise<boolean> {
  return fresh || hasDevice(volume) || (await deps.mountSources.isEmpty(volume.path, forEver));
}

function hasDevice({ options }: Volume): boolean {
  return options !== undefined && isMountedVolume(options);
}

/** As a creation, which runs to its end. */
const forEver = { signal: new AbortController().signal };

async function fill(source: string, one: VolumeToFill, deps: ContainerDependencies): Promise<void> {
  const { volume, fresh } = one;
  if (fresh && !hasDevice(volume)) await copyContent(source, volume.path);
  else await fillShared(source, volume, deps);
  await deps.volumes.applyAttributes(volume);
}

/** Other containers may be at work in it: they must not lead the copy elsewhere by a link. */
async function fillShared(source: string, volume: Volume, deps: ContainerDependencies): Promise<void> {
  const user = `filling ${volume.name}`;
  try {
    if (hasDevice(volume))
      await inPatience(volume.path, forEver, (signal) => deps.volumes.mount(volume, user, { signal }));
    if (await deps.mountSources.isEmpty(volume.path, forEver))
      await copyDirectory({ from: source, to: volume.path, scratch: deps.paths.scratch }, forEver.signal);
  } catch (error) {
    throw new EngineError(kindOf(error), `failed to populate volume: ${messageOf(error)}`, { cause: error });
  } finally {
    if (hasDevice(volume)) await deps.volumes.unmount(volume.name, user);
  }
}

async function mountForFilling(
  { id, idMap }: Owner,
  deps: ContainerDependencies,
  undo: UndoStack,
): Promise<string> {
  const key = snapshotKeyOf(id);
  const root = deps.paths.rootfs(id);
  await mkdir(root, { recursive: true, mode: 0o700 });
  undo.add('remove the mount point', () => rmdir(root));
  await deps.snapshotter.mount(key, root, { idMap });
  undo.add('unmount the root', () => deps.snapshotter.unmount(key, root));
  layOutRoot(root, idMap === undefined ? undefined : rootOf(idMap));
  return root;
}

/** The directory that is at a place in a root; undefined: nothing is. */
function contentOf(root: string, { destination, declared }: VolumeToFill): string | undefined {
  const path = resolveInRoot(root, destination);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (stat.isDirectory()) return path;
  const inside = path.slice(root.length);
  throw new EngineError(
    'invalid',
    declared
      ? `cannot mount volume over existing file, file exists ${inside}`
      : `source ${inside} is not directory`,
  );
}
