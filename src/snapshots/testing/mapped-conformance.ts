import { expect, test } from 'bun:test';
import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IdMap } from '../../sys/id-map.ts';
import { descriptorPath } from '../../sys/namespace-child.ts';
import { UserNamespaces } from '../../sys/user-namespaces.ts';
import { dir, file, whiteout } from './layer-tar.ts';
import { type CreateSnapshotter, key, SnapshotFixture } from './snapshot-fixture.ts';

const range = { containerId: 0, hostId: 100_000, size: 65_536 };
const map: IdMap = { uids: [range], gids: [range] };

const ownerOf = (path: string): number[] => {
  const { uid, gid } = lstatSync(path);
  return [uid, gid];
};

/** Run a script as the root of the map's user namespace. */
function within(namespaces: UserNamespaces, script: string): string {
  const { stdout, stderr } = Bun.spawnSync([
    'nsenter',
    `--user=${descriptorPath(namespaces.of(map))}`,
    'sh',
    '-ec',
    script,
  ]);
  return stdout.toString() + stderr.toString();
}

export function mappedTests(create: CreateSnapshotter): void {
  test('with a map, files have the host’s ids outside, the container’s within and on disk', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const namespaces = new UserNamespaces();
    const members = [dir('d', { uid: 3, gid: 4 }), file('a', '1'), file('own', '2', { uid: 5, gid: 6 })];
    const { chainId } = await fixture.chain(members, [file('b', '3'), file('gone', 'x')], [whiteout('gone')]);
    await fixture.store.prepare(key('k'), chainId, fixture);
    const target = fixture.target();
    chmodSync(fixture.base, 0o711);
    await fixture.store.mount(key('k'), target, { idMap: map });
    const owners = ['', 'd', 'a', 'own', 'b'].map((name) => ownerOf(join(target, name)));
    expect(owners).toEqual([
      [100_000, 100_000],
      [100_003, 100_004],
      [100_000, 100_000],
      [100_005, 100_006],
      [100_000, 100_000],
    ]);
    const script = `cd ${target}; rm a; echo more >> own; chown 7:8 b; mkdir d/e; mv own d/e/; stat -c '%u %g' b d/e/own d/e`;
    expect(within(namespaces, script)).toBe('7 8\n5 6\n0 0\n');
    expect(ownerOf(join(target, 'b'))).toEqual([100_007, 100_008]);
    const upper = await fixture.store.upperDirectory(key('k'));
    const onDisk = ['', 'b', 'd', 'd/e', 'd/e/own'].map((name) => ownerOf(join(upper, name)));
    expect(onDisk).toEqual([
      [0, 0],
      [7, 8],
      [3, 4],
      [0, 0],
      [5, 6],
    ]);
    expect(lstatSync(join(upper, 'a')).isCharacterDevice()).toBe(true);
    expect(readFileSync(join(upper, 'd/e/own'), 'utf8')).toBe('2more\n');
    namespaces.close();
  });

  test('a snapshot is mounted with and without a map in turn, and the layers stay as they are', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const { chainId } = await fixture.layer([file('a', '1', { uid: 9, gid: 9 })]);
    const plain = await fixture.mounted('plain', chainId);
    await fixture.store.prepare(key('k'), chainId, fixture);
    const target = fixture.target();
    const seen: number[][] = [];
    for (const idMap of [map, undefined, map]) {
      await fixture.store.mount(key('k'), target, { idMap, volatile: true });
      seen.push(ownerOf(join(target, 'a')));
      expect(ownerOf(join(plain, 'a'))).toEqual([9, 9]);
      await fixture.store.unmount(key('k'), target);
    }
    expect(seen).toEqual([
      [100_009, 100_009],
      [9, 9],
      [100_009, 100_009],
    ]);
  });

  test('what is mounted with a map is found, in use, and leaves no other mount', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const { chainId } = await fixture.layer([file('a', '1')]);
    await fixture.mounted('plain', chainId);
    const before = fixture.mounts();
    await fixture.store.prepare(key('k'), chainId, fixture);
    const target = fixture.target();
    await fixture.store.mount(key('k'), target, { idMap: map });
    expect(fixture.mounts().filter((mount) => !before.includes(mount))).toEqual([target]);
    await fixture.store.mount(key('k'), target, { idMap: map });
    const removal = await fixture.store.remove(key('k')).then(
      () => 'removed',
      (error: Error) => error.message,
    );
    expect(removal).toContain('it is mounted');
    const store = await fixture.reopen();
    await store.recover(new Set([key('k'), key('plain')]));
    writeFileSync(join(target, 'b'), 'x');
    await store.unmount(key('k'), target);
    expect([readdirSync(target), existsSync(join(await store.upperDirectory(key('k')), 'b'))]).toEqual([
      [],
      true,
    ]);
    await store.remove(key('k'));
  });

  test('a file capability of a layer, and one that is set within, hold for the namespace', async () => {
    await using fixture = await SnapshotFixture.open(create);
    const namespaces = new UserNamespaces();
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    const xattrs = new Map([['security.capability', new Uint8Array(capability)]]);
    const { chainId } = await fixture.layer([file('ping', 'x', { mode: 0o755, xattrs })]);
    await fixture.store.prepare(key('k'), chainId, fixture);
    const target = fixture.target();
    chmodSync(fixture.base, 0o711);
    await fixture.store.mount(key('k'), target, { idMap: map });
    const script = `cd ${target}; echo y >> ping; getcap ping; echo z > new; setcap cap_chown+ep new; getcap new`;
    expect(within(namespaces, script)).toBe('new cap_chown=ep\n');
    const upper = await fixture.store.upperDirectory(key('k'));
    const { stdout } = Bun.spawnSync([
      'getfattr',
      '--only-values',
      '-n',
      'security.capability',
      `${upper}/new`,
    ]);
    // As a plain container would have written it: nothing in it tells of a namespace.
    expect(stdout.length).toBe(20);
    namespaces.close();
  });
}
