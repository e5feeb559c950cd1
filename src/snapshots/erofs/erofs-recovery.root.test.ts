import { expect, test } from 'bun:test';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { hexOf } from '../../oci/digest.ts';
import { mount } from '../../sys/mount.ts';
import { openLayerSink } from '../layer-sink.ts';
import { file, layerTar, opaque } from '../testing/layer-tar.ts';
import { key, SnapshotFixture } from '../testing/snapshot-fixture.ts';
import { gnuSparseTar } from '../testing/sparse-tar.ts';
import { ErofsSnapshotter } from './erofs-snapshotter.ts';

const open = () => SnapshotFixture.open((root) => new ErofsSnapshotter({ root }));
const none = new Set<ReturnType<typeof key>>();

test('a crash between tar and chain leaves a tar that recover() removes', async () => {
  await using fixture = await open();
  const staged = await fixture.stage(await layerTar([file('a', '1')]));
  const tars = join(fixture.base, 'root/tars');
  writeFileSync(join(tars, `${hexOf(staged.diffId)}.tar`), 'as if renamed');
  const store = await fixture.reopen();
  await store.recover(none);
  expect(readdirSync(tars)).toEqual([]);
  expect(await store.layers()).toEqual([]);
});

test('a chain that lost its tar, its record or its parent goes, and what lies on it', async () => {
  await using fixture = await open();
  const base = await fixture.layer([file('a', '1')]);
  const broken = await fixture.layer([file('b', '2')], base.chainId);
  const above = await fixture.layer([file('c', '3')], broken.chainId);
  const other = await fixture.layer([file('d', '4')]);
  const root = join(fixture.base, 'root');
  truncateSync(join(root, 'tars', `${hexOf(broken.diffId)}.tar`), 512);
  writeFileSync(join(root, 'chains', hexOf(other.chainId), 'layer.json'), '{"chainId"');
  const store = await fixture.reopen();
  await store.recover(none);
  expect((await store.layers()).map(({ chainId }) => chainId)).toEqual([base.chainId]);
  expect(await store.layer(above.chainId)).toBeUndefined();
  expect(readdirSync(join(root, 'tars'))).toEqual([`${hexOf(base.diffId)}.tar`]);
});

test('recover() unmounts layers that are gone and keeps those that are used', async () => {
  await using fixture = await open();
  const one = await fixture.layer([file('a', '1')]);
  const two = await fixture.layer([file('b', '2')]);
  const kept = await fixture.mounted('kept', one.chainId);
  await fixture.store.unmount(key('x'), await fixture.mounted('x', two.chainId));
  await fixture.store.remove(key('x'));
  rmSync(join(fixture.base, 'root/chains', hexOf(two.chainId)), { recursive: true });
  const store = await fixture.reopen();
  await store.recover(new Set([key('kept')]));
  expect(fixture.mounts().length).toBe(2);
  expect(readFileSync(join(kept, 'a'), 'utf8')).toBe('1');
  await store.close();
  expect(fixture.mounts().length).toBe(2);
  await store.unmount(key('kept'), kept);
  await store.close();
  expect(fixture.mounts()).toEqual([]);
});

test('commits of one layer at the same time are one', async () => {
  await using fixture = await open();
  const tar = await layerTar([file('a', '1')]);
  const staged = await Promise.all([1, 2, 3].map(() => fixture.stage(tar)));
  const done = await Promise.all(staged.map((layer) => fixture.commit(layer)));
  expect(new Set(done.map(({ chainId }) => chainId)).size).toBe(1);
  expect(readdirSync(join(fixture.base, 'root/staging'))).toEqual([]);
  expect(readFileSync(join(await fixture.mounted('k', done[0]?.chainId), 'a'), 'utf8')).toBe('1');
});

test('a removal waits for nobody’s mount and leaves no file', async () => {
  await using fixture = await open();
  const { chainId } = await fixture.layer([file('a', Buffer.alloc(1 << 20))]);
  const removed = fixture.store.removeLayer(chainId);
  const prepared = fixture.store.prepare(key('k'), chainId, fixture).catch((error: unknown) => error);
  await removed;
  expect(await prepared).toMatchObject({ kind: 'not-found' });
  await fixture.store.close();
  for (const folder of ['tars', 'chains', 'trash', 'mounts'])
    expect(readdirSync(join(fixture.base, 'root', folder))).toEqual([]);
});

test('a layer whose root is opaque hides all that is below', async () => {
  await using fixture = await open();
  const top = await fixture.chain(
    [file('a', '1')],
    [{ ...opaque('x'), path: '.wh..wh..opq' }, file('b', '2')],
    [file('c', '3')],
  );
  expect(readdirSync(await fixture.mounted('k', top.chainId)).sort()).toEqual(['b', 'c']);
  expect(await (await fixture.store.tree(top.chainId)).list('')).toEqual(['b', 'c']);
});

test('sparse members show their expanded content, and cost what they hold', async () => {
  await using fixture = await open();
  const tar = gnuSparseTar([
    {
      path: 'disk.img',
      realSize: 1 << 30,
      segments: [
        { offset: 700, data: 'near' },
        { offset: (1 << 30) - 3, data: 'end' },
      ],
    },
    { path: 'hole', realSize: 5000, segments: [] },
  ]);
  const { chainId } = await fixture.commit(await fixture.stage(tar, 333));
  const target = await fixture.mounted('k', chainId);
  const image = Bun.file(join(target, 'disk.img'));
  expect(image.size).toBe(1 << 30);
  expect(await image.slice(698, 706).text()).toBe('\0\0near\0\0');
  expect(await image.slice((1 << 30) - 5).text()).toBe('\0\0end');
  expect(readFileSync(join(target, 'hole')).equals(Buffer.alloc(5000))).toBe(true);
  const tree = await fixture.store.tree(chainId);
  expect((await tree.lookup('hole'))?.size).toBe(5000);
  expect(await new Response(tree.read('hole')).text()).toBe('\0'.repeat(5000));
  const { stdout } = Bun.spawnSync(['du', '-sk', join(fixture.base, 'root/tars')]);
  expect(Number.parseInt(stdout.toString(), 10)).toBeLessThan(100);
});

test('a sparse member larger than we take is refused and leaves no stage', async () => {
  await using fixture = await open();
  const tar = gnuSparseTar([{ path: 'huge', realSize: 2 ** 42, segments: [] }]);
  const error = await fixture.stage(tar).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ kind: 'invalid', code: 'size-exceeded' });
  expect(readdirSync(join(fixture.base, 'root/staging'))).toEqual([]);
});

test('a target that is reached through a symbolic link is found again', async () => {
  await using fixture = await open();
  const target = fixture.target();
  symlinkSync(target, join(fixture.base, 'link'));
  await fixture.store.prepare(key('k'), undefined, fixture);
  await fixture.store.mount(key('k'), join(fixture.base, 'link'));
  await fixture.store.mount(key('k'), target);
  expect(fixture.mounts()).toEqual([target]);
  await fixture.store.unmount(key('k'), join(fixture.base, 'link'));
  expect(fixture.mounts()).toEqual([]);
});

test('a root that mount options can’t name is refused before anything is made', () => {
  for (const root of ['/tmp/a,b', '/tmp/a:b', 'relative', `/tmp/${'x'.repeat(120)}`]) {
    expect(() => new ErofsSnapshotter({ root })).toThrow('Cannot keep snapshots in');
    expect(existsSync(root)).toBe(false);
  }
});

test('a full disk is said in plain words and leaves no stage', async () => {
  await using fixture = await open();
  const small = join(fixture.base, 'small');
  mkdirSync(small);
  mount({ source: 'none', target: small, type: 'tmpfs', data: 'size=1m' });
  const store = new ErofsSnapshotter({ root: join(small, 'root') });
  const sink = await openLayerSink(store.stage());
  const tar = await layerTar([file('a', Buffer.alloc(12 << 20))]);
  const fill = async () => {
    for (let at = 0; at < tar.length; at += 1 << 20) await sink.write(tar.slice(at, at + (1 << 20)));
    await sink.finish();
  };
  const error = await fill().catch((caught: unknown) => caught);
  expect(error).toMatchObject({ name: 'EngineError', code: 'no-space' });
  expect(String(error)).toContain('no space left on device');
  await sink.abort();
  expect(readdirSync(join(small, 'root/staging'))).toEqual([]);
});

test('discard() touches stages only', async () => {
  await using fixture = await open();
  mkdirSync(join(fixture.base, 'precious'));
  const outside = { driver: 'erofs' as const, directory: join(fixture.base, 'precious') };
  expect(await fixture.store.discard(outside).catch((error: unknown) => error)).toMatchObject({
    kind: 'invalid',
  });
  const sneaky = { driver: 'erofs' as const, directory: join(fixture.base, 'root/staging/../../precious') };
  expect(await fixture.store.discard(sneaky).catch((error: unknown) => error)).toMatchObject({
    kind: 'invalid',
  });
  expect(existsSync(join(fixture.base, 'precious'))).toBe(true);
});
