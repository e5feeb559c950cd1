import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TarEntry } from '../archive/entry.ts';
import { noXattrs } from '../archive/xattr-sets.ts';
import { writeErofsImage } from '../erofs/image-writer.ts';
import { LayerBuilder } from '../erofs/layer-builder.ts';
import { messageOf } from '../errors/engine-error.ts';
import { mountErofs, mountOverlay, unmountIfMounted } from '../sys/mount.ts';
import type { SnapshotDriver } from './snapshotter.ts';

export interface ProbeResult {
  /** The best that works there; undefined: no file system can be stacked on that root. */
  driver: SnapshotDriver | undefined;
  /** Why: what works, or what the kernel said to what doesn't. */
  reason: string;
}

/**
 * Choose the driver by doing it: two layers as EROFS from files in `root`, or as directories, an overlay on them, a read and a write. What works
 * depends on the kernel and on the file system below `root`. Leaves nothing behind.
 */
export async function probeSnapshotDriver(root: string): Promise<ProbeResult> {
  mkdirSync(root, { recursive: true, mode: 0o711 });
  const directory = mkdtempSync(join(root, 'probe-'));
  const mounted: string[] = [];
  try {
    return { driver: 'erofs', reason: tryErofs(directory, mounted) };
  } catch (error) {
    return tryDirectories(directory, { mounted, refused: messageOf(error) });
  } finally {
    for (const target of mounted.reverse()) unmountIfMounted(target, { detach: true });
    rmSync(directory, { recursive: true, force: true });
  }
}

const LAYERS = ['lower', 'higher'];

/** @returns how it went. */
function tryErofs(directory: string, mounted: string[]): string {
  let ways = '';
  const lowers = LAYERS.map((name) => {
    const target = makeDirectory(directory, `${name}.mount`);
    ways = mountLayer(directory, { name, target });
    mounted.push(target);
    return target;
  });
  tryOverlay(makeDirectory(directory, 'on-erofs'), { lowers, mounted });
  return ways === 'files'
    ? 'the kernel mounts EROFS images from plain files'
    : 'the kernel mounts EROFS images by loop devices';
}

/** What an unpacked layer needs. */
function tryDirectories(
  directory: string,
  { mounted, refused }: { mounted: string[]; refused: string },
): ProbeResult {
  try {
    const lowers = LAYERS.map((name) => {
      const layer = makeDirectory(directory, `${name}.directory`);
      writeFileSync(join(layer, name), name);
      return layer;
    });
    tryOverlay(makeDirectory(directory, 'on-directories'), { lowers, mounted });
    return { driver: 'overlay', reason: refused };
  } catch (error) {
    return { driver: undefined, reason: `${refused}; ${messageOf(error)}` };
  }
}

function tryOverlay(
  directory: string,
  { lowers, mounted }: { lowers: readonly string[]; mounted: string[] },
): void {
  const [upper, work, target] = [
    makeDirectory(directory, 'upper'),
    makeDirectory(directory, 'work'),
    makeDirectory(directory, 'merged'),
  ];
  mountOverlay({ lowers: lowers.toReversed(), writable: { upper, work }, target });
  mounted.push(target);
  for (const name of LAYERS) {
    if (readFileSync(join(target, name), 'utf8') !== name) throw new Error('a layer reads back other bytes');
    writeFileSync(join(target, name), 'written');
    if (readFileSync(join(upper, name), 'utf8') !== 'written') throw new Error('a write did not copy up');
  }
}

function mountLayer(directory: string, { name, target }: { name: string; target: string }): 'files' | 'loop' {
  const [data, image] = [join(directory, `${name}.data`), join(directory, `${name}.erofs`)];
  writeFileSync(data, Buffer.concat([Buffer.from(name), Buffer.alloc(512 - name.length)]));
  const layer = new LayerBuilder();
  layer.add(fileEntry(name));
  writeFileSync(image, writeErofsImage(layer.finish(), [{ sizeBytes: 512 }]).bytes);
  return mountErofs({ image, devices: [data], target });
}

function makeDirectory(directory: string, name: string): string {
  const path = join(directory, name);
  mkdirSync(path, { mode: 0o755 });
  return path;
}

function fileEntry(name: string): TarEntry {
  return {
    path: name,
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtimeSeconds: 0,
    mtimeNanoseconds: 0,
    size: name.length,
    dataOffset: 0,
    linkTarget: '',
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: noXattrs,
    sparse: undefined,
  };
}
