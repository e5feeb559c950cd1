import { expect, test } from 'bun:test';
import type { TarEntry } from '../archive/entry.ts';
import { impliedDirectories, LayerBuilder } from './layer-builder.ts';
import type { ErofsNode } from './node.ts';
import { isWhiteout } from './node.ts';
import { directory, hardlink, member, symlink } from './testing/layer-members.ts';

function build(members: readonly TarEntry[], limits = {}): ErofsNode {
  const builder = new LayerBuilder(limits);
  for (const entry of members) builder.add(entry);
  return builder.finish();
}

function at(root: ErofsNode, path: string): ErofsNode | undefined {
  return path.split('/').reduce<ErofsNode | undefined>((node, name) => node?.children?.get(name), root);
}

const refused = (members: readonly TarEntry[], limits = {}): unknown => {
  try {
    build(members, limits);
    return undefined;
  } catch (error) {
    return error;
  }
};

test('a whiteout is a device 0/0, an opaque marker a marked directory', () => {
  const root = build([member('a/.wh.gone'), member('b/.wh..wh..opq')]);
  expect(isWhiteout(at(root, 'a/gone') ?? root)).toBe(true);
  expect(at(root, 'b')?.opaque).toBe(true);
  expect(at(root, 'a')?.opaque).toBe(false);
});

test('a whiteout hides below and not beside: the member of the same layer stays', () => {
  for (const members of [
    [member('.wh.d'), directory('d'), member('d/x'), member('.wh.f'), member('f')],
    [directory('d'), member('d/x'), member('.wh.d'), member('f'), member('.wh.f')],
    [member('.wh.d'), member('d/x'), member('f'), member('.wh.f')],
  ]) {
    const root = build(members);
    expect(at(root, 'd')).toMatchObject({ type: 'directory', opaque: true });
    expect(at(root, 'd/x')?.type).toBe('file');
    expect(at(root, 'f')).toMatchObject({ type: 'file', opaque: false });
  }
});

test('AUFS bookkeeping is left out', () => {
  const root = build([directory('.wh..wh.plnk'), member('.wh..wh.plnk/1.2'), member('a')]);
  expect([...(root.children?.keys() ?? [])]).toEqual(['a']);
});

test('hard links share the node, before and after their target, chained, and outlive its name', () => {
  const root = build([
    hardlink('early', 'middle'),
    hardlink('middle', 'd/target'),
    member('d/target', { size: 5, dataOffset: 512 }),
    hardlink('late', 'd/target'),
    member('d/target', { size: 7 }),
    hardlink('l2', 's'),
    symlink('s', '/nowhere'),
  ]);
  expect(at(root, 'late')?.size).toBe(5);
  expect(at(root, 'd/target')?.size).toBe(7);
  expect(at(root, 'early')).toBe(at(root, 'middle'));
  expect(at(root, 'early')?.size).toBe(7);
  expect(at(root, 'l2')?.type).toBe('symlink');
});

test('a name that was taken after an early link keeps its later owner', () => {
  const root = build([hardlink('a', 'b'), member('a', { size: 3 }), member('b', { size: 9 })]);
  expect(at(root, 'a')?.size).toBe(3);
});

test('symlinks of the layer on the way to a member are followed inside it', () => {
  const root = build([
    symlink('lib', 'usr/lib'),
    member('lib/x'),
    symlink('usr/lib/up', '../../../../../etc'),
    member('usr/lib/up/y'),
    symlink('abs', '/opt/z'),
    member('abs/deep/w'),
  ]);
  expect(at(root, 'usr/lib/x')?.type).toBe('file');
  expect(at(root, 'etc/y')?.type).toBe('file');
  expect(at(root, 'opt/z/deep/w')?.type).toBe('file');
  expect(at(root, 'lib')?.type).toBe('symlink');
});

test('impliedDirectories() names what the chain below decides, and nothing under an opaque directory', () => {
  const root = build([
    member('a/b/x'),
    directory('c'),
    member('c/d/x'),
    member('o/.wh..wh..opq'),
    member('o/p/x'),
    member('.wh.w'),
    member('w/v/x'),
  ]);
  expect(
    impliedDirectories(root)
      .map(({ path }) => path)
      .sort(),
  ).toEqual(['', 'a', 'a/b', 'c/d', 'o']);
});

test('a directory named after its content is no longer implied', () => {
  const root = build([member('a/x'), directory('a', { mode: 0o700 }), directory('', { uid: 4 })]);
  expect(at(root, 'a')).toMatchObject({ implied: false, mode: 0o700 });
  expect(root).toMatchObject({ implied: false, uid: 4 });
  expect(impliedDirectories(root)).toEqual([]);
});

test('what no extraction could do is refused', () => {
  const hostile = { kind: 'invalid', code: 'archive-hostile' };
  expect(refused([member('f'), member('f/x')])).toMatchObject(hostile);
  expect(refused([hardlink('l', 'none')])).toMatchObject(hostile);
  expect(refused([directory('d'), hardlink('l', 'd')])).toMatchObject(hostile);
  expect(refused([hardlink('l', 'd'), directory('d')])).toMatchObject(hostile);
  expect(refused([hardlink('a', 'b'), hardlink('b', 'a')])).toMatchObject(hostile);
  expect(refused([member('.wh.g'), hardlink('l', 'g')])).toMatchObject(hostile);
  expect(refused([symlink('a', 'b'), symlink('b', 'a'), member('a/x')])).toMatchObject(hostile);
  expect(refused([symlink('', 'b')])).toMatchObject(hostile);
  expect(refused([member('a/.wh.')])).toMatchObject(hostile);
});

test('a small archive that implies many directories is bounded', () => {
  const hostile = { kind: 'invalid', code: 'archive-hostile' };
  const deep = 'd/'.repeat(2000);
  expect(
    refused(
      [0, 1, 2].map((i) => member(`${i}/${deep}x`)),
      { nodes: 5000 },
    ),
  ).toMatchObject(hostile);
  const folded = [
    directory(`a/${deep}`.slice(0, -1)),
    symlink('s', `a/${deep}`),
    member(`s/${deep}x`),
    symlink('t', `s/${deep}`),
    member(`t/${deep}x`),
  ];
  expect(refused(folded)).toMatchObject(hostile);
});

test('a path of 2,047 directories is fine', () => {
  expect(impliedDirectories(build([member(`${'d/'.repeat(2047)}x`)])).length).toBe(2048);
});
