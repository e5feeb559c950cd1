import type { TarEntry } from '../../archive/entry.ts';
import { noXattrs } from '../../archive/xattr-sets.ts';
import { ErofsImageReader } from '../image-reader.ts';
import { writeErofsImage } from '../image-writer.ts';
import { LayerBuilder } from '../layer-builder.ts';
import { StackTree } from '../stack-tree.ts';

/** A member in few words: what is left out is a root-owned file of no content at second 1000. */
export function member(path: string, more: Partial<TarEntry> = {}): TarEntry {
  return {
    path,
    type: 'file',
    mode: more.type === 'directory' ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    mtimeSeconds: 1000,
    mtimeNanoseconds: 0,
    size: 0,
    dataOffset: 0,
    linkTarget: '',
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: noXattrs,
    sparse: undefined,
    ...more,
  };
}

export const directory = (path: string, more: Partial<TarEntry> = {}): TarEntry =>
  member(path, { type: 'directory', ...more });
export const hardlink = (path: string, linkTarget: string): TarEntry =>
  member(path, { type: 'hardlink', linkTarget });
export const symlink = (path: string, linkTarget: string): TarEntry =>
  member(path, { type: 'symlink', mode: 0o777, linkTarget });

export function imageOf(members: readonly TarEntry[], deviceBytes = 1 << 20): Buffer {
  const builder = new LayerBuilder();
  for (const entry of members) builder.add(entry);
  return writeErofsImage(builder.finish(), [{ sizeBytes: deviceBytes }]).bytes;
}

/** The layers, bottom first, as one tree; content is told as `device:start+length`. */
export function treeOf(...layers: (readonly TarEntry[])[]): StackTree {
  return new StackTree(
    layers.reverse().map((members) => ({
      index: new ErofsImageReader(imageOf(members)),
      open: (device, start, length) => new Blob([`${device}:${start}+${length}`]).stream(),
    })),
  );
}

/** Every path of a tree, sorted. */
export async function pathsOf(tree: StackTree): Promise<string[]> {
  const found: string[] = [];
  const todo = [''];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    for (const name of (await tree.list(path)) ?? []) {
      const child = path === '' ? name : `${path}/${name}`;
      found.push(child);
      todo.push(child);
    }
  }
  return found.sort();
}
