import { lstatSync } from 'node:fs';
import { mkdir, rmdir } from 'node:fs/promises';
import { posix } from 'node:path';
import { EngineError } from '../errors/engine-error.ts';
import { layOutRoot } from '../runtime/spec/root-layout.ts';
import { resolveInRoot } from '../runtime/spec/root-path.ts';
import { copyContent } from '../volumes/copy-content.ts';
import type { Volume } from '../volumes/volumes.ts';
import { parseBind } from './binds.ts';
import type { ContainerConfig, HostOptions } from './container.ts';
import type { ContainerDependencies } from './dependencies.ts';
import { snapshotKeyOf } from './task-starter.ts';
import { UndoStack } from './undo.ts';

/** A volume's place in a container. */
export interface VolumeMount {
  name: string;
  destination: string;
}

/** Where image or user want a volume without a name: not where something else is mounted. @throws EngineError "invalid". */
export function anonymousPlaces(config: ContainerConfig, host: HostOptions): string[] {
  const taken = new Set([
    ...host.binds.map((text) => parseBind(text).destination),
    ...Object.keys(host.tmpfs).map(placeOf),
  ]);
  const places = new Set(config.volumes.map(placeOf));
  const bad = config.volumes.find((text) => text.includes('\0'));
  if (bad !== undefined)
    throw new EngineError('invalid', `invalid volume specification: ${JSON.stringify(bad)}`);
  if (places.has('/'))
    throw new EngineError('invalid', "invalid volume specification: '/': destination can't be '/'");
  return [...places].filter((place) => !taken.has(place)).sort();
}

function placeOf(text: string): string {
  return posix.normalize(`/${text}`).replace(/(?<=.)\/$/, '');
}

/**
 * A new volume for each place, with what the container's root has there, owner and mode included. The snapshot is there, nobody works in it
 * yet. On failure nothing is left.
 *
 * @throws EngineError "invalid" in Docker's words where a file is in the way.
 */
export async function fillVolumes(
  id: string,
  places: readonly string[],
  deps: ContainerDependencies,
): Promise<{ volume: Volume; destination: string }[]> {
  if (places.length === 0) return [];
  const mounted = new UndoStack(deps.logger);
  const made: { volume: Volume; destination: string }[] = [];
  try {
    const root = await mountForFilling(id, deps, mounted);
    for (const destination of places) {
      const source = contentOf(root, destination);
      const volume = await deps.volumes.prepareAnonymous();
      made.push({ volume, destination });
      if (source !== undefined) await copyContent(source, volume.path);
    }
    return made;
  } catch (error) {
    await deps.volumes.discard(made.map(({ volume }) => volume.name));
    throw error;
  } finally {
    await mounted.unwind();
  }
}

async function mountForFilling(id: string, deps: ContainerDependencies, undo: UndoStack): Promise<string> {
  const key = snapshotKeyOf(id);
  const root = deps.paths.rootfs(id);
  await mkdir(root, { recursive: true, mode: 0o700 });
  undo.add('remove the mount point', () => rmdir(root));
  await deps.snapshotter.mount(key, root);
  undo.add('unmount the root', () => deps.snapshotter.unmount(key, root));
  layOutRoot(root);
  return root;
}

/** The directory that is at a place in a root; undefined: nothing is. */
function contentOf(root: string, destination: string): string | undefined {
  const path = resolveInRoot(root, destination);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (stat.isDirectory()) return path;
  throw new EngineError(
    'invalid',
    `cannot mount volume over existing file, file exists ${path.slice(root.length)}`,
  );
}
