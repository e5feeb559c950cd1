import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { diskUsage } from '../storage/disk-usage.ts';
import { listMounts } from '../sys/mount.ts';

/** Whose bytes the data root holds. */
export type DiskOwner = 'images' | 'containers' | 'volumes' | 'build-cache' | 'registry' | 'engine';

const FOLDERS: Readonly<Record<string, DiskOwner>> = {
  content: 'images',
  layers: 'images',
  containers: 'containers',
  volumes: 'volumes',
  builder: 'build-cache',
  registry: 'registry',
};
/** Below `layers/<driver>/`: what containers write lies there. */
const WRITABLE = /\/layers\/[^/]+\/(active|snapshots)$/;

/**
 * Every byte of the data root under its owner: the sum is what `du -x` counts. A file that two of them name counts for the first.
 *
 * @param registryFiles those of the content store that the registry alone has a use for
 */
export async function accountDisk(
  dataRoot: string,
  registryFiles: ReadonlySet<string>,
): Promise<Map<DiskOwner, number>> {
  const seen = new Set<string>();
  const owners = new Map<DiskOwner, number>();
  const add = async (owner: DiskOwner, path: string, skips?: (path: string) => boolean): Promise<void> => {
    const bytes = await diskUsage(path, { seen, ...(skips === undefined ? {} : { skips }) });
    owners.set(owner, (owners.get(owner) ?? 0) + bytes);
  };
  const folders = Object.entries(FOLDERS).map(([name, owner]) => ({ path: join(dataRoot, name), owner }));
  // Devices of volumes are not ours, and may be folders of this very file system.
  const mounted = new Set(listMounts().map(({ target }) => target));
  for (const { path, owner } of folders)
    await add(owner, path, (below) => WRITABLE.test(below) || mounted.has(below) || registryFiles.has(below));
  for (const path of registryFiles) await add('registry', path);
  for (const path of await writableFolders(join(dataRoot, 'layers'))) await add('containers', path);
  const known = new Set(folders.map(({ path }) => path));
  await add('engine', dataRoot, (path) => known.has(path));
  return owners;
}

async function writableFolders(layers: string): Promise<string[]> {
  const drivers = await readdir(layers).catch(() => []);
  return drivers.flatMap((driver) => ['active', 'snapshots'].map((name) => join(layers, driver, name)));
}
