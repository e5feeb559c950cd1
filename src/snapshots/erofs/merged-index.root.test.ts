import { expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ErofsImageReader } from '../../erofs/image-reader.ts';
import { writeErofsImage } from '../../erofs/image-writer.ts';
import { mergeLayers } from '../../erofs/merge-layers.ts';
import { hexOf } from '../../oci/digest.ts';
import { mountErofs } from '../../sys/mount.ts';
import { dir, file, link, opaque, symlink, whiteout } from '../testing/layer-tar.ts';
import { SnapshotFixture } from '../testing/snapshot-fixture.ts';
import { listMounted } from '../testing/tree-listing.ts';
import { ErofsSnapshotter } from './erofs-snapshotter.ts';

test('one image over the tars of 40 layers shows what overlayfs shows of the stack', async () => {
  await using fixture = await SnapshotFixture.open((root) => new ErofsSnapshotter({ root }));
  const plain = Array.from({ length: 37 }, (_, i) => [file(`f${i}`, `content ${i}`), file('d/last', `${i}`)]);
  await fixture.chain(
    [dir('d', { mode: 0o700 }), file('d/x', 'x'), link('y', 'd/x'), dir('e'), file('e/gone', '')],
    ...plain,
    [opaque('e'), file('e/new', 'n'), whiteout('f3'), symlink('s', 'd/x')],
    [file('f3', 'back')],
  );
  const all = await fixture.store.layers();
  const stack = [all.find(({ chainId }) => !all.some(({ parent }) => parent === chainId))];
  for (let parent = stack[0]?.parent; parent !== undefined; parent = stack.at(-1)?.parent)
    stack.push(all.find(({ chainId }) => chainId === parent));
  const layers = stack.filter((layer) => layer !== undefined);
  const root = join(fixture.base, 'root');
  const sources = layers.map(({ chainId }) => ({
    index: new ErofsImageReader(readFileSync(join(root, 'chains', hexOf(chainId), 'index.erofs'))),
    devices: 1,
  }));
  const devices = layers.map(({ tarSize }) => ({ sizeBytes: tarSize }));
  const image = join(fixture.base, 'merged.erofs');
  writeFileSync(image, writeErofsImage(mergeLayers(sources), devices).bytes);
  const target = fixture.target();
  mountErofs({
    image,
    target,
    devices: layers.map(({ diffId }) => join(root, 'tars', `${hexOf(diffId)}.tar`)),
  });
  const [merged, shown] = [listMounted(target), listMounted(await fixture.mounted('k', layers[0]?.chainId))];
  for (const listing of [merged, shown]) delete listing['/'];
  expect(merged).toEqual(shown);
  expect(Object.keys(merged).length).toBeGreaterThan(40);
});
