import { expect, test } from 'bun:test';
import { ErofsImageReader } from './image-reader.ts';
import { writeErofsImage } from './image-writer.ts';
import { setImpliedAttributes } from './inode-writer.ts';
import { impliedDirectories, LayerBuilder } from './layer-builder.ts';
import { impliedDirectory } from './node.ts';
import { directory, hardlink, imageOf, member, pathsOf, symlink, treeOf } from './testing/layer-members.ts';

test('the superblock is what the kernel documents', () => {
  const image = imageOf([member('a')]);
  expect(image.readUInt32LE(1024)).toBe(0xe0f5e1e2);
  expect(image[1024 + 12]).toBe(9);
  expect(image.readUInt16LE(1024 + 86)).toBe(1);
  expect(image.readUInt16LE(1024 + 88) * 128).toBe(1152);
  expect(image.readUInt32LE(1024 + 36) * 512).toBe(image.length);
  expect(image.readUInt32LE(1152 + 64)).toBe((1 << 20) / 512);
});

test('the same members give the same bytes', () => {
  const members = [directory('d', { mtimeNanoseconds: 5 }), member('d/x', { size: 3 }), symlink('s', 'd')];
  expect(imageOf(members).equals(imageOf(members))).toBe(true);
});

test('attributes survive: large ids, times before 1970 and after 2106, sizes over 4 GiB, devices', async () => {
  const more = {
    uid: 4_000_000_000,
    gid: 70_000,
    mtimeSeconds: 5_000_000_000,
    mtimeNanoseconds: 999_999_999,
  };
  const tree = treeOf([
    member('big', { ...more, size: 5 * 2 ** 30, mode: 0o6755 }),
    member('old', { mtimeSeconds: -1, mtimeNanoseconds: 1 }),
    member('null', { type: 'char', deviceMajor: 1, deviceMinor: 3 }),
    member('disk', { type: 'block', deviceMajor: 4095, deviceMinor: 1_048_575 }),
    member('pipe', { type: 'fifo' }),
    member('sock', { type: 'socket' }),
  ]);
  expect(await tree.lookup('big')).toMatchObject({ ...more, size: 5 * 2 ** 30, mode: 0o6755, links: 1 });
  expect(await tree.lookup('old')).toMatchObject({ mtimeSeconds: -1, mtimeNanoseconds: 1 });
  expect(await tree.lookup('null')).toMatchObject({ type: 'char', deviceMajor: 1, deviceMinor: 3 });
  expect(await tree.lookup('disk')).toMatchObject({ deviceMajor: 4095, deviceMinor: 1_048_575 });
  expect(await tree.lookup('pipe')).toMatchObject({ type: 'fifo' });
  expect(await tree.lookup('sock')).toMatchObject({ type: 'socket' });
});

test('content is found in the tar', async () => {
  const tree = treeOf([member('a', { size: 700, dataOffset: 1024 }), member('empty')]);
  expect(await new Response(tree.read('a')).text()).toBe('0:1024+700');
  expect(await new Response(tree.read('empty')).text()).toBe('');
});

test('directories of every size list and look up', async () => {
  for (const count of [0, 1, 7, 33, 34, 35, 400, 5000]) {
    const names = Array.from({ length: count }, (_, i) => `${i}-${'n'.repeat(i % 200)}`);
    const tree = treeOf([directory('d'), ...names.map((name) => member(`d/${name}`))]);
    expect(await tree.list('d')).toEqual(names.toSorted());
    for (const name of names.slice(0, 50)) expect((await tree.lookup(`d/${name}`))?.type).toBe('file');
    expect(await tree.lookup('d/absent')).toBeUndefined();
    expect(await tree.lookup('d/~')).toBeUndefined();
    expect(await tree.lookup('d/!')).toBeUndefined();
  }
});

test('names sort by bytes, whatever they hold', async () => {
  // U+FF5E sorts after U+1F600 by UTF-16 units and before it by bytes; the last is a byte that is no UTF-8.
  const names = ['z', '～', '😀', 'é', '\udc80raw', 'n'.repeat(255)];
  const tree = treeOf(names.map((name) => member(name)));
  expect(await tree.list('')).toEqual(['n'.repeat(255), 'z', '\udc80raw', 'é', '～', '😀']);
  for (const name of names) expect((await tree.lookup(name))?.type).toBe('file');
});

test('symlinks of every length', async () => {
  const lengths = [1, 63, 447, 448, 449, 480, 511, 512, 513, 1000, 4095];
  const tree = treeOf(lengths.map((length) => symlink(`l${length}`, 'x'.repeat(length))));
  for (const length of lengths)
    expect(await tree.lookup(`l${length}`)).toMatchObject({ size: length, linkTarget: 'x'.repeat(length) });
});

test('xattrs, alone and shared, empty and large', async () => {
  const value = Buffer.from('system_u:object_r:usr_t:s0');
  const common = new Map([['security.selinux', value]]);
  const own = new Map<string, Uint8Array>([
    ...common,
    ['user.empty', new Uint8Array()],
    ['user.large', Buffer.alloc(60_000, 7)],
    ['system.posix_acl_access', Buffer.from([2, 0, 0, 0])],
    ['trusted.x', Buffer.from('t')],
    ['system.unknown', Buffer.from('dropped')],
    ['trusted.overlay.redirect', Buffer.from('/dropped')],
  ]);
  const many = Array.from({ length: 100 }, (_, i) => member(`f${i}`, { xattrs: common }));
  const tree = treeOf([...many, member('own', { xattrs: own }), directory('d', { xattrs: own })]);
  expect((await tree.lookup('f7'))?.xattrs).toEqual(common as never);
  for (const path of ['own', 'd']) {
    const xattrs = (await tree.lookup(path))?.xattrs ?? new Map<string, Uint8Array>();
    expect([...xattrs.keys()].sort()).toEqual([
      'security.selinux',
      'system.posix_acl_access',
      'trusted.x',
      'user.empty',
      'user.large',
    ]);
    expect(Buffer.from(xattrs.get('user.large') ?? '').equals(Buffer.alloc(60_000, 7))).toBe(true);
  }
  const shared = imageOf(many).length;
  const plain = imageOf(many.map((entry) => ({ ...entry, xattrs: new Map() }))).length;
  expect(shared - plain).toBeLessThan(100 * 32 + 1024);
});

test('links count names', async () => {
  const tree = treeOf([
    member('a'),
    hardlink('b', 'a'),
    hardlink('d/c', 'a'),
    directory('d/e'),
    directory('d/f'),
  ]);
  expect((await tree.lookup('d/c'))?.links).toBe(3);
  expect((await tree.lookup('d'))?.links).toBe(4);
});

test('a stack merges, removes and hides', async () => {
  const tree = treeOf(
    [
      directory('d', { mode: 0o700 }),
      member('d/a'),
      member('d/b'),
      member('e/x'),
      member('f'),
      directory('g'),
      member('g/h'),
    ],
    [member('d/.wh.a'), member('e/.wh..wh..opq'), member('e/y'), directory('f'), member('f/in'), member('g')],
    [directory('d', { mode: 0o711 }), member('d/a', { uid: 9 })],
  );
  expect(await pathsOf(tree)).toEqual(['d', 'd/a', 'd/b', 'e', 'e/y', 'f', 'f/in', 'g']);
  expect(await tree.lookup('d')).toMatchObject({ mode: 0o711 });
  expect(await tree.lookup('d/a')).toMatchObject({ uid: 9 });
  expect(await tree.lookup('e/x')).toBeUndefined();
  expect(await tree.lookup('g/h')).toBeUndefined();
  expect((await tree.lookup('e'))?.xattrs.size).toBe(0);
  expect(() => tree.read('d')).toThrow('not a regular file');
  expect(() => tree.read('no/such')).toThrow('No such file');
});

test('setImpliedAttributes() changes one directory in place', async () => {
  const builder = new LayerBuilder();
  builder.add(member('a/b/x'));
  const root = builder.finish();
  const { bytes, offsetOf } = writeErofsImage(root, [{ sizeBytes: 512 }]);
  const node = impliedDirectories(root).find(({ path }) => path === 'a')?.node ?? root;
  setImpliedAttributes(bytes, offsetOf(node) ?? 0, {
    ...impliedDirectory(),
    mode: 0o2770,
    uid: 100_000,
    gid: 5,
    mtimeSeconds: -7,
    mtimeNanoseconds: 9,
  });
  const reader = new ErofsImageReader(bytes);
  const inode = (path: string[]) =>
    path.reduce((nid, name) => reader.child(reader.inode(nid), name)?.nid ?? -1, reader.rootNid);
  expect(reader.inode(inode(['a']))).toMatchObject({ mode: 0o2770, uid: 100_000, gid: 5, mtimeSeconds: -7 });
  expect(reader.inode(inode(['a', 'b']))).toMatchObject({ mode: 0o755, uid: 0 });
});

test('more content than the address space holds is refused', () => {
  expect(() => writeErofsImage(impliedDirectory(), [{ sizeBytes: 2 ** 41 }])).toThrow('larger than 2 TiB');
});

test('a damaged image is refused, never a crash', async () => {
  const image = imageOf([directory('d'), member('d/x', { size: 4 }), symlink('s', 'd')]);
  expect(() => new ErofsImageReader(new Uint8Array(100))).toThrow('no superblock');
  for (let at = 1536; at < image.length; at += 2) {
    const broken = Buffer.from(image);
    broken.writeUInt16LE(0xffff, at);
    const reader = new ErofsImageReader(broken);
    try {
      for (const { nid, type } of reader.entries(reader.inode(reader.rootNid))) {
        const inode = reader.inode(nid);
        if (type === 'symlink') reader.linkTarget(inode);
        reader.xattrs(inode);
        reader.extent(inode);
      }
    } catch (error) {
      expect(error).toMatchObject({ name: 'EngineError', kind: 'internal' });
    }
  }
});

test('100,000 files are indexed in a moment', () => {
  const members = Array.from({ length: 100_000 }, (_, i) =>
    member(`dir-${i % 300}/sub-${i % 7}/file-${i}`, { size: 100, dataOffset: i * 512, mtimeSeconds: i }),
  );
  const started = performance.now();
  const image = imageOf(members, 100_000 * 512);
  expect(performance.now() - started).toBeLessThan(5000);
  expect(image.length).toBeLessThan(100_000 * 128);
});
