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
  driver: SnapshotDriver;
  /** Why: what works, or what the kernel said to the better one. */
  reason: string;
}

/**
 * Choose the driver by doing it: two layers as EROFS from plain files in `root`, an overlay on them, a read and a write. What works
 * depends on the kernel and on the file system below `root`. Leaves nothing behind.
 */
export async function probeSnapshotDriver(root: string): Promise<ProbeResult> {
  mkdirSync(root, { recursive: true, mode: 0o711 });
  const directory = mkdtempSync(join(root, 'probe-'));
  const mounted: string[] = [];
  try {
    tryErofs(directory, mounted);
    return { driver: 'erofs', reason: 'the kernel mounts EROFS images from plain files' };
  } catch (error) {
    return { driver: 'overlay', reason: messageOf(error) };
  } finally {
    for (const target of mounted.reverse()) unmountIfMounted(target, { detach: true });
    rmSync(directory, { recursive: true, force: true });
  }
}

function tryErofs(directory: string, mounted: string[]): void {
  const lowers = ['lower', 'higher'].map((name) => mountLayer(directory, name, mounted));
  const [upper, work, target] = ['upper', 'work', 'merged'].map((name) => makeDirectory(directory, name));
  if (upper === undefined || work === undefined || target === undefined) return;
  mountOverlay({ lowers: lowers.reverse(), writable: { upper, work }, target });
  mounted.push(target);
  for (const name of ['lower', 'higher']) {
    if (readFileSync(join(target, name), 'utf8') !== name) throw new Error('a layer reads back other bytes');
    writeFileSync(join(target, name), 'written');
    if (readFileSync(join(upper, name), 'utf8') !== 'written') throw new Error('a write did not copy up');
  }
}

function mountLayer(directory: string, name: string, mounted: string[]): string {
  const [data, image] = [join(directory, `${name}.data`), join(directory, `${name}.erofs`)];
  const target = makeDirectory(directory, `${name}.mount`);
  writeFileSync(data, Buffer.concat([Buffer.from(name), Buffer.alloc(512 - name.length)]));
  const layer = new LayerBuilder();
  layer.add(fileEntry(name));
  writeFileSync(image, writeErofsImage(layer.finish(), [{ sizeBytes: 512 }]).bytes);
  mountErofs({ image, devices: [data], target });
  mounted.push(target);
  return target;
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
