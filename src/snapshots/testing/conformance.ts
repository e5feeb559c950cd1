import { describe, expect, test } from 'bun:test';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import { chainIdOn } from '../../oci/chain-id.ts';
import { patience } from '../../sys/testing/patience.ts';
import { openLayerSink } from '../layer-sink.ts';
import { layOutRoot } from '../root-layout.ts';
import { dir, file, layerTar, layerTime, link, opaque, symlink, whiteout } from './layer-tar.ts';
import { mappedTests } from './mapped-conformance.ts';
import { absentChain, type CreateSnapshotter, key, refusal, SnapshotFixture } from './snapshot-fixture.ts';
import { listMounted, listTree } from './tree-listing.ts';

/** What every Snapshotter does. Needs root and a private mount namespace. */
export function snapshotterConformance(name: string, create: CreateSnapshotter): void {
  describe(`${name} snapshotter: layers`, () => layerTests(create));
  describe(`${name} snapshotter: what a mount shows`, () => contentTests(create));
  describe(`${name} snapshotter: snapshots`, () => snapshotTests(create));
  describe(`${name} snapshotter: ids of a user namespace`, () => mappedTests(create));
  describe(`${name} snapshotter: refusals`, () => refusalTests(create));
  describe(`${name} snapshotter: recovery`, () => recoveryTests(create));
}

const text = (path: string): string => readFileSync(path, 'utf8');

function layerTests(create: CreateSnapshotter): void {
  test('commitLayer() puts layers on each other and tells of them', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const base = await fixture.layer([file('a', 'one')]);
    const top = await fixture.layer([file('b', 'two')], base.chainId);
    expect(base.parent).toBeUndefined();
    expect(top.parent).toBe(base.chainId);
    expect(top.chainId).toBe(chainIdOn(base.chainId, top.diffId));
    expect(await fixture.store.layer(top.chainId)).toEqual(top);
    expect((await fixture.store.layers()).map(({ chainId }) => chainId).sort()).toEqual(
      [base.chainId, top.chainId].sort(),
    );
    expect(await fixture.store.layer(absentChain)).toBeUndefined();
  });

  test('commitLayer() of a chain that exists keeps it and removes the stage', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const tar = await layerTar([file('a', 'one')]);
    const first = await fixture.commit(await fixture.stage(tar));
    const staged = await fixture.stage(tar);
    expect(await fixture.commit(staged)).toEqual(first);
    expect(existsSync(staged.staging.directory)).toBe(false);
  });

  test('layerTar() gives the bytes as they were hashed', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const tar = Buffer.concat([
      await layerTar([file('a', Buffer.alloc(100_000, 'x')), whiteout('b')]),
      Buffer.alloc(9000),
    ]);
    const { chainId, diffId, tarSize } = await fixture.commit(await fixture.stage(tar));
    const back = Buffer.from(await new Response(await fixture.store.layerTar(chainId)).arrayBuffer());
    expect(back.equals(tar)).toBe(true);
    expect(tarSize).toBe(tar.length);
    expect(diffId as string).toBe(`sha256:${new Bun.CryptoHasher('sha256').update(tar).digest('hex')}`);
  });

  test('the same layer in two chains is independent in each', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const shared = [file('d/x', 'shared')];
    const one = await fixture.chain([dir('d', { mode: 0o700 })], shared);
    const two = await fixture.chain([dir('d', { mode: 0o711 })], shared);
    expect(one.diffId).toBe(two.diffId);
    expect(statSync(join(await fixture.mounted('one', one.chainId), 'd')).mode & 0o7777).toBe(0o700);
    const target = await fixture.mounted('two', two.chainId);
    expect(statSync(join(target, 'd')).mode & 0o7777).toBe(0o711);
    await fixture.store.unmount(key('one'), join(fixture.base, 'target-1'));
    await fixture.store.remove(key('one'));
    await fixture.store.removeLayer(one.chainId);
    expect(text(join(target, 'd/x'))).toBe('shared');
    expect(await new Response(await fixture.store.layerTar(two.chainId)).text()).toContain('shared');
  });

  test('removeLayer() leaves nothing', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const { chainId } = await fixture.layer([file('a', 'one')]);
    await fixture.mounted('k', chainId);
    await fixture.store.unmount(key('k'), join(fixture.base, 'target-1'));
    await fixture.store.remove(key('k'));
    await fixture.store.removeLayer(chainId);
    expect(await fixture.store.layer(chainId)).toBeUndefined();
    await fixture.store.close();
    expect(fixture.mounts()).toEqual([]);
    expect(regularFiles(join(fixture.base, 'root'))).toEqual([]);
  });

  test('stages of many layers stand side by side', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const staged = await Promise.all(
      ['a', 'b', 'c'].map(async (name) => fixture.stage(await layerTar([file(name, name)]))),
    );
    let parent = undefined as Awaited<ReturnType<typeof fixture.commit>> | undefined;
    for (const layer of staged) parent = await fixture.commit(layer, parent?.chainId);
    expect(readdirSync(await fixture.mounted('k', parent?.chainId)).sort()).toEqual(['a', 'b', 'c']);
  });
}

function contentTests(create: CreateSnapshotter): void {
  const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
  const everything = [
    dir('', { mode: 0o755, mtimeSeconds: 5 }),
    dir('bin', { mode: 0o1777, uid: 3, gid: 4 }),
    file('bin/tool', 'tool', { mode: 0o4755, xattrs: new Map([['security.capability', capability]]) }),
    file('bin/empty', '', { mtimeSeconds: -5, mtimeNanoseconds: 250_000_000 }),
    file('bin/big', Buffer.alloc(70_001, 'abcdefg'), {
      uid: 70_000,
      gid: 80_000,
      mtimeNanoseconds: 123_456_789,
    }),
    link('bin/tool2', 'bin/tool'),
    symlink('bin/sh', '/usr/bin/../bin/dash'),
    symlink('bin/long', 'x/'.repeat(700)),
    { path: 'dev/null', type: 'char' as const, mode: 0o666, deviceMajor: 1, deviceMinor: 3 },
    { path: 'dev/disk', type: 'block' as const, mode: 0o660, deviceMajor: 8, deviceMinor: 300 },
    { path: 'dev/pipe', type: 'fifo' as const, mode: 0o600 },
    file('name with spaces, commas:and\\more', 'odd'),
    file('große-Datei-日本', 'unicode', { xattrs: new Map([['user.note', Buffer.from('hi')]]) }),
    dir('many'),
    ...Array.from({ length: 300 }, (_, i) => file(`many/entry-${i}`, `content ${i}`)),
  ];

  test('a listing of a directory has what every directory has', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const { chainId } = await fixture.layer([dir('sub'), file('sub/a', 'x')]);
    const target = await fixture.mounted('k', chainId);
    const listed = Bun.spawnSync(['ls', '-a', join(target, 'sub')]).stdout.toString();
    expect(listed).toBe('.\n..\na\n');
    expect(statSync(target).ino).toBeGreaterThan(0);
  });

  test('types, owners, modes, times, links, devices and xattrs are as in the tar', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const target = await fixture.mounted('k', (await fixture.layer(everything)).chainId);
    const shown = listMounted(target);
    expect(Object.keys(shown).length).toBe(everything.length + 1);
    const common = { mtimeSeconds: layerTime, mtimeNanoseconds: 0, xattrs: {}, uid: 0, gid: 0 };
    const tool = {
      ...common,
      type: 'file',
      mode: 0o4755,
      size: 4,
      links: 2,
      content: 'tool',
      xattrs: { 'security.capability': capability.toString('hex') },
    };
    expect(shown['/bin/tool']).toEqual(tool);
    expect(shown['/bin/tool2']).toEqual(tool);
    expect(lstatSync(join(target, 'bin/tool')).ino).toBe(lstatSync(join(target, 'bin/tool2')).ino);
    expect(shown['/bin']).toMatchObject({ type: 'directory', mode: 0o1777, uid: 3, gid: 4 });
    expect(shown['/bin/empty']).toMatchObject({ size: 0, mtimeSeconds: -5, mtimeNanoseconds: 250_000_000 });
    expect(shown['/bin/big']).toMatchObject({
      size: 70_001,
      uid: 70_000,
      gid: 80_000,
      mtimeNanoseconds: 123_456_789,
    });
    expect(shown['/bin/long']).toMatchObject({ type: 'symlink', size: 1400, linkTarget: 'x/'.repeat(700) });
    expect(shown['/dev/disk']).toMatchObject({
      type: 'block',
      deviceMajor: 8,
      deviceMinor: 300,
      mode: 0o660,
    });
    expect(shown['/dev/pipe']).toMatchObject({ type: 'fifo', mode: 0o600 });
    expect(shown['/große-Datei-日本']).toMatchObject({ xattrs: { 'user.note': '6869' } });
  });

  test('the tree says what the mount shows', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const top = await fixture.chain(
      everything,
      [
        file('bin/tool', 'newer'),
        whiteout('bin/big'),
        dir('many', { mode: 0o700 }),
        opaque('many'),
        file('many/only', 'x'),
      ],
      [
        symlink('dev/disk', 'null'),
        whiteout('bin/sh'),
        file('deep/er/est', 'y'),
        file('many/entry-7', 'back'),
      ],
    );
    const target = await fixture.mounted('k', top.chainId);
    const tree = await fixture.store.tree(top.chainId);
    const [read, shown] = [await listTree(tree), listMounted(target)];
    // The mount's root is the snapshot's own directory, of today.
    for (const listing of [read, shown])
      listing['/'] = { ...(listing['/'] as object), mtimeSeconds: 0, mtimeNanoseconds: 0 };
    expect(read).toEqual(shown);
    expect(await tree.lookup('bin/big')).toBeUndefined();
    expect(await tree.lookup('no/such/path')).toBeUndefined();
    expect(await tree.list('bin/tool')).toBeUndefined();
    expect(await tree.list('many')).toEqual(['entry-7', 'only']);
    await tree.close();
  });

  test('whiteouts remove, opaque directories hide, later layers bring back', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const top = await fixture.chain(
      [
        file('a', '1'),
        dir('d'),
        file('d/x', '1'),
        file('d/y', '1'),
        dir('e'),
        file('e/z', '1'),
        dir('f'),
        file('f/g', '1'),
      ],
      [whiteout('a'), opaque('d'), file('d/y', '2'), whiteout('e'), whiteout('f')],
      [file('a', '3'), file('f', '3')],
    );
    const target = await fixture.mounted('k', top.chainId);
    expect(readdirSync(target).sort()).toEqual(['a', 'd', 'f']);
    expect(readdirSync(join(target, 'd'))).toEqual(['y']);
    expect([text(join(target, 'a')), text(join(target, 'd/y')), text(join(target, 'f'))]).toEqual([
      '3',
      '2',
      '3',
    ]);
  });

  test('a whiteout and the same name in one layer: the new one stays, the old content is hidden', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const top = await fixture.chain(
      [dir('d'), file('d/old', '1'), dir('e'), file('e/old', '1')],
      [whiteout('d'), dir('d'), file('d/new', '2'), dir('e'), file('e/new', '2'), whiteout('e')],
    );
    const target = await fixture.mounted('k', top.chainId);
    expect([readdirSync(join(target, 'd')), readdirSync(join(target, 'e'))]).toEqual([['new'], ['new']]);
  });

  test('a directory that a layer only implies is as the chain below has it', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const note = new Map([['user.note', Buffer.from('kept')]]);
    const top = await fixture.chain(
      [
        dir('', { mode: 0o711 }),
        dir('a', { mode: 0o700, uid: 7, gid: 8 }),
        dir('a/b', { mode: 0o2775, gid: 9, xattrs: note }),
      ],
      [file('a/b/c/new', 'x')],
    );
    const target = await fixture.mounted('k', top.chainId);
    const shown = listMounted(target);
    expect(shown['/']).toMatchObject({ mode: 0o711 });
    expect(shown['/a']).toMatchObject({ mode: 0o700, uid: 7, gid: 8, mtimeSeconds: layerTime });
    expect(shown['/a/b']).toMatchObject({ mode: 0o2775, gid: 9, xattrs: { 'user.note': '6b657074' } });
    expect(shown['/a/b/c']).toMatchObject({ mode: 0o755, uid: 0, gid: 0 });
  });

  test('a directory implied below one that the layer replaced is root’s', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const top = await fixture.chain(
      [dir('a', { mode: 0o700 }), dir('a/b', { mode: 0o700, uid: 5 })],
      [opaque('a'), file('a/b/new', 'x')],
    );
    const shown = listMounted(await fixture.mounted('k', top.chainId));
    expect(shown['/a/b']).toMatchObject({ mode: 0o755, uid: 0 });
  });

  test('the last member of a name wins', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const { chainId } = await fixture.layer([
      file('a', 'first'),
      file('a', 'second', { mode: 0o600 }),
      dir('b'),
      file('b/kept', 'x'),
      dir('b', { mode: 0o700 }),
      dir('c'),
      file('c/gone', 'x'),
      file('c', 'file now'),
      file('d', 'file'),
      dir('d'),
      file('d/in', 'x'),
    ]);
    const target = await fixture.mounted('k', chainId);
    expect(text(join(target, 'a'))).toBe('second');
    expect(statSync(join(target, 'a')).mode & 0o777).toBe(0o600);
    expect(text(join(target, 'b/kept'))).toBe('x');
    expect(statSync(join(target, 'b')).mode & 0o777).toBe(0o700);
    expect(text(join(target, 'c'))).toBe('file now');
    expect(text(join(target, 'd/in'))).toBe('x');
  });

  test('trusted.overlay xattrs of a tar have no effect', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const mark = new Map([['trusted.overlay.opaque', Buffer.from('y')]]);
    const top = await fixture.chain(
      [dir('d'), file('d/x', '1')],
      [dir('d', { xattrs: mark }), file('d/y', '2')],
    );
    expect(readdirSync(join(await fixture.mounted('k', top.chainId), 'd')).sort()).toEqual(['x', 'y']);
  });

  test(
    '127 layers are one file system',
    async () => {
      await using fixture = await SnapshotFixture.open(create);
      const top = await fixture.chain(
        ...Array.from({ length: 127 }, (_, i) => [file(`f${i}`, `${i}`), file('last', `${i}`)]),
      );
      const target = await fixture.mounted('k', top.chainId);
      expect(readdirSync(target).length).toBe(128);
      expect(text(join(target, 'last'))).toBe('126');
      expect(text(join(target, 'f0'))).toBe('0');
    },
    60_000 * patience,
  );
}

function snapshotTests(create: CreateSnapshotter): void {
  test('what is written stays with the snapshot and out of the layer', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const { chainId } = await fixture.layer([file('a', 'base'), file('b', 'base')]);
    const target = await fixture.mounted('one', chainId);
    writeFileSync(join(target, 'a'), 'changed');
    rmSync(join(target, 'b'));
    const other = await fixture.mounted('two', chainId);
    expect([text(join(other, 'a')), existsSync(join(other, 'b'))]).toEqual(['base', true]);
    await fixture.store.unmount(key('one'), target);
    await fixture.store.mount(key('one'), target);
    expect([text(join(target, 'a')), existsSync(join(target, 'b'))]).toEqual(['changed', false]);
    const upper = await fixture.store.upperDirectory(key('one'));
    expect(text(join(upper, 'a'))).toBe('changed');
    expect(lstatSync(join(upper, 'b')).isCharacterDevice()).toBe(true);
  });

  test('a snapshot without parent begins empty', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const target = await fixture.mounted('k');
    expect(readdirSync(target)).toEqual([]);
    writeFileSync(join(target, 'a'), 'x');
    expect(text(join(await fixture.store.upperDirectory(key('k')), 'a'))).toBe('x');
  });

  test('mount() where it is mounted does nothing; readonly refuses writes', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const { chainId } = await fixture.layer([file('a', 'base')]);
    const target = await fixture.mounted('k', chainId);
    const before = fixture.mounts();
    await fixture.store.mount(key('k'), target);
    expect(fixture.mounts()).toEqual(before);
    await fixture.store.unmount(key('k'), target);
    await fixture.store.mount(key('k'), target, { readonly: true });
    expect(() => writeFileSync(join(target, 'a'), 'x')).toThrow('EROFS');
  });

  test('a volatile mount keeps what was written, and mounts again', async () => {
    await using fixture = await SnapshotFixture.open(create);
    await fixture.store.prepare(key('k'), (await fixture.layer([file('a', '1')])).chainId, fixture);
    const target = fixture.target();
    for (const [i, volatile] of [true, true, false].entries()) {
      await fixture.store.mount(key('k'), target, { volatile });
      writeFileSync(join(target, `new-${i}`), 'x');
      await fixture.store.unmount(key('k'), target);
    }
    expect(readdirSync(await fixture.store.upperDirectory(key('k'))).sort()).toEqual([
      'new-0',
      'new-1',
      'new-2',
    ]);
  });

  test('unmount() twice and remove() of nothing are fine', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const target = await fixture.mounted('k');
    await fixture.store.unmount(key('k'), target);
    await fixture.store.unmount(key('k'), target);
    await fixture.store.remove(key('k'));
    await fixture.store.remove(key('k'));
    expect(await fixture.store.snapshots()).toEqual([]);
  });

  test('usage() counts what was written: contents once, neither directories nor what every root is given', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const { chainId } = await fixture.layer([file('a', Buffer.alloc(1 << 20))]);
    const target = await fixture.mounted('k', chainId);
    layOutRoot(target);
    expect(await fixture.store.usage(key('k'))).toBe(0);
    writeFileSync(join(target, 'new'), Buffer.alloc(300_000, 1));
    linkSync(join(target, 'new'), join(target, 'other'));
    mkdirSync(join(target, 'directory'));
    symlinkSync('new', join(target, 'link'));
    rmSync(join(target, 'a'));
    expect(await fixture.store.usage(key('k'))).toBe(300_003);
  });
}

function refusalTests(create: CreateSnapshotter): void {
  test('what is absent is not-found', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const staged = await fixture.stage(await layerTar([file('a', 'x')]));
    const { store, signal } = fixture;
    for (const ask of [
      () => fixture.commit(staged, absentChain),
      () => store.layerTar(absentChain),
      () => store.tree(absentChain),
      () => store.prepare(key('k'), absentChain, { signal }),
      () => store.mount(key('none'), fixture.target()),
      () => store.upperDirectory(key('none')),
    ])
      expect(await refusal(ask())).toMatchObject({ name: 'EngineError', kind: 'not-found' });
    expect(await store.snapshots()).toEqual([]);
    await store.discard(staged.staging);
    expect(existsSync(staged.staging.directory)).toBe(false);
  });

  test('what is in use is conflict', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const { store, signal } = fixture;
    const base = await fixture.layer([file('a', 'x')]);
    const top = await fixture.layer([file('b', 'x')], base.chainId);
    const conflict = { name: 'EngineError', kind: 'conflict' };
    expect(await refusal(store.removeLayer(base.chainId))).toMatchObject(conflict);
    const target = await fixture.mounted('k', top.chainId);
    expect(await refusal(store.prepare(key('k'), top.chainId, { signal }))).toMatchObject(conflict);
    expect(await refusal(store.remove(key('k')))).toMatchObject(conflict);
    expect(await refusal(store.removeLayer(top.chainId))).toMatchObject(conflict);
    await store.unmount(key('k'), target);
    expect(await refusal(store.removeLayer(top.chainId))).toMatchObject(conflict);
    expect(text(join(await fixture.mounted('l', top.chainId), 'b'))).toBe('x');
  });

  test('an aborted prepare() leaves nothing', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const { chainId } = await fixture.layer([file('a', 'x')]);
    const before = everyPath(fixture.base);
    const aborted = refusal(fixture.store.prepare(key('k'), chainId, { signal: AbortSignal.abort() }));
    expect(await aborted).toBeInstanceOf(DOMException);
    expect(await fixture.store.snapshots()).toEqual([]);
    expect(everyPath(fixture.base)).toEqual(before);
  });

  test('a key that is no file name is invalid', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const { signal } = fixture;
    for (const bad of ['', '.', '..', 'a/b', '../x', 'x'.repeat(129)])
      expect(await refusal(fixture.store.prepare(key(bad), undefined, { signal }))).toMatchObject({
        kind: 'invalid',
      });
  });

  test('a mount that fails leaves no mount', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const { chainId } = await fixture.layer([file('a', 'x')]);
    await fixture.store.prepare(key('k'), chainId, fixture);
    const failed = await refusal(fixture.store.mount(key('k'), join(fixture.base, 'no-such-target')));
    expect(failed).toMatchObject({ kind: 'internal', code: 'syscall-failed' });
    expect(fixture.mounts()).toEqual([]);
  });

  test('a hostile layer leaves no stage', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const hostile = [
      [file('a', 'x'), file('../b', 'x')],
      [file('a', 'x'), file('a/b', 'x')],
      [link('a', 'not/there')],
      [{ path: '.wh.' }],
      [dir('d'), link('l', 'd')],
      [symlink('loop', 'loop'), file('loop/x', 'x')],
    ];
    for (const members of hostile) {
      const before = everyPath(fixture.base);
      const error = await refusal(fixture.layer(members));
      expect(error).toBeInstanceOf(EngineError);
      expect(error).toMatchObject({ kind: 'invalid' });
      expect(everyPath(fixture.base)).toEqual(before);
    }
  });

  test('a truncated layer leaves no stage', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const tar = await layerTar([file('a', Buffer.alloc(5000))]);
    const before = everyPath(fixture.base);
    const error = await refusal(fixture.stage(tar.slice(0, 2000)));
    expect(error).toMatchObject({ kind: 'invalid', code: 'archive-truncated' });
    expect(everyPath(fixture.base)).toEqual(before);
  });
}

function recoveryTests(create: CreateSnapshotter): void {
  test('another instance finds layers, snapshots and mounts again', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const top = await fixture.chain([file('a', '1')], [file('b', '2')]);
    const target = await fixture.mounted('kept', top.chainId);
    writeFileSync(join(target, 'c'), '3');
    const store = await fixture.reopen();
    await store.recover(new Set([key('kept')]));
    expect(await store.layer(top.chainId)).toEqual(top);
    expect(await store.snapshots()).toEqual([key('kept')]);
    expect(readdirSync(target).sort()).toEqual(['a', 'b', 'c']);
    expect(await refusal(store.remove(key('kept')))).toMatchObject({ kind: 'conflict' });
    await store.unmount(key('kept'), target);
    await store.remove(key('kept'));
    await store.removeLayer(top.chainId);
    await store.close();
    expect(fixture.mounts()).toEqual([]);
  });

  test('recover() removes stages and snapshots of the dead', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const { chainId } = await fixture.layer([file('a', '1')]);
    const before = everyPath(fixture.base);
    const staged = await fixture.stage(await layerTar([file('b', '2')]));
    const sink = await openLayerSink(fixture.store.stage());
    await sink.write(new Uint8Array(512));
    const target = await fixture.mounted('lost', chainId);
    const store = await fixture.reopen();
    await store.recover(new Set());
    expect(existsSync(staged.staging.directory)).toBe(false);
    expect(await store.snapshots()).toEqual([]);
    expect(fixture.mounts()).not.toContain(target);
    await store.close();
    expect(fixture.mounts()).toEqual([]);
    expect(everyPath(fixture.base)).toEqual(before);
    expect(text(join(await fixture.mounted('new', chainId), 'a'))).toBe('1');
    await sink.abort();
  });

  test('after a reboot snapshots mount again', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const { chainId } = await fixture.layer([file('a', '1')]);
    const target = await fixture.mounted('k', chainId);
    writeFileSync(join(target, 'b'), '2');
    for (const mount of fixture.mounts().reverse()) Bun.spawnSync(['umount', mount]);
    expect(fixture.mounts()).toEqual([]);
    const store = await fixture.reopen();
    await store.recover(new Set([key('k')]));
    await store.mount(key('k'), target);
    expect(readdirSync(target).sort()).toEqual(['a', 'b']);
  });
}

/** Everything in a fixture's folder, for "nothing is left", but the folders that a store is laid out in. */
function everyPath(base: string): string[] {
  return walk(base)
    .filter((path) => path.slice(base.length + 1).split('/').length > 2 || !lstatSync(path).isDirectory())
    .sort();
}

function regularFiles(root: string): string[] {
  return walk(root).filter((path) => lstatSync(path).isFile());
}

function walk(root: string): string[] {
  const found: string[] = [];
  const todo = [root];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const child = join(path, entry.name);
      found.push(child);
      if (entry.isDirectory()) todo.push(child);
    }
  }
  return found;
}
