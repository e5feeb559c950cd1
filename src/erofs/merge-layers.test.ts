import { expect, test } from 'bun:test';
import type { TarEntry } from '../archive/entry.ts';
import { ErofsImageReader } from './image-reader.ts';
import { writeErofsImage } from './image-writer.ts';
import { mergeLayers } from './merge-layers.ts';
import { StackTree } from './stack-tree.ts';
import { directory, hardlink, imageOf, member, pathsOf, symlink, treeOf } from './testing/layer-members.ts';

/** Bottom first, as one image; content is told as `device:start+length`. */
function mergedTree(...layers: (readonly TarEntry[])[]): StackTree {
  const sources = layers.toReversed().map((members) => ({
    index: new ErofsImageReader(imageOf(members)),
    devices: 1,
  }));
  const { bytes } = writeErofsImage(
    mergeLayers(sources),
    layers.map(() => ({ sizeBytes: 1 << 20 })),
  );
  const open = (device: number, start: number, length: number) =>
    new Blob([`${device}:${start}+${length}`]).stream();
  return new StackTree([{ index: new ErofsImageReader(bytes), open }]);
}

const layers: TarEntry[][] = [
  [
    directory('', { uid: 1 }),
    directory('d', { mode: 0o700 }),
    member('d/a', { size: 5, dataOffset: 512 }),
    hardlink('d/a2', 'd/a'),
    member('d/b'),
    member('e/x'),
    member('f'),
    directory('g'),
    member('g/h'),
    symlink('l', 'd/a'),
    member('null', { type: 'char', deviceMajor: 1, deviceMinor: 3 }),
  ],
  [
    member('d/.wh.b'),
    member('e/.wh..wh..opq'),
    member('e/y', { size: 7, dataOffset: 1024 }),
    directory('f'),
    member('f/in'),
    member('.wh.g'),
    directory('k', { xattrs: new Map([['user.note', Buffer.from('x')]]) }),
  ],
  [directory('d', { mode: 0o711 }), member('d/b', { uid: 9 }), member('g'), member('.wh.absent')],
];

test('a merged image shows what the stack shows', async () => {
  const [stack, merged] = [treeOf(...layers.map((layer) => [...layer])), mergedTree(...layers)];
  const paths = await pathsOf(stack);
  expect(await pathsOf(merged)).toEqual(paths);
  for (const path of ['', ...paths]) {
    const [one, other] = [await stack.lookup(path), await merged.lookup(path)];
    if (one?.type === 'directory') expect({ ...other, links: 0 }).toEqual({ ...one, links: 0 } as never);
    else expect(other).toEqual(one);
  }
});

test('content is found on the right device, links stay links, no whiteout is left', async () => {
  const merged = mergedTree(...layers);
  expect(await new Response(merged.read('e/y')).text()).toBe('1:1024+7');
  expect(await new Response(merged.read('d/a2')).text()).toBe('2:512+5');
  expect((await merged.lookup('d/a'))?.links).toBe(2);
  expect(await merged.lookup('absent')).toBeUndefined();
  expect(await merged.lookup('null')).toMatchObject({ type: 'char', deviceMajor: 1 });
});

test('no layers make an empty directory', async () => {
  expect(await mergedTree().list('')).toEqual([]);
});
