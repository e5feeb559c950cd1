import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { failureOf } from '../../../test/support/failure-of.ts';
import { readTar } from '../../archive/testing/read-tar.ts';
import { LocalContentStore } from '../../content/local-content-store.ts';
import type { MadeLayer } from '../../images/layers/make-layer.ts';
import { chainIdOn } from '../../oci/chain-id.ts';
import type { ChainId } from '../../oci/digest.ts';
import { ErofsSnapshotter } from '../../snapshots/erofs/erofs-snapshotter.ts';
import { makeDevice, makeFifo, setXattr } from '../../snapshots/node-attributes.ts';
import { OverlaySnapshotter } from '../../snapshots/overlay/overlay-snapshotter.ts';
import { dir, file, symlink } from '../../snapshots/testing/layer-tar.ts';
import { key, SnapshotFixture } from '../../snapshots/testing/snapshot-fixture.ts';
import type { FilePlace } from '../sources/file-place.ts';
import { OpenPlaces } from '../sources/open-file-place.ts';
import type { FileRunner } from './file-job.ts';
import { filePool } from './file-pool.ts';
import { type FileLayerOptions, makeFileLayer, makeRedatedLayer, makeRunLayer } from './make-file-layer.ts';
import { type CopyInstructionOptions, planCopy } from './plan-copy.ts';
import { listing } from './testing/copy-fixture.ts';

const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
const signal = new AbortController().signal;
let files: FileRunner;

beforeAll(() => {
  files = filePool();
});

afterAll(() => files.close());

class Bench implements AsyncDisposable {
  readonly fixture: SnapshotFixture;
  readonly content: LocalContentStore;
  readonly held: string[] = [];

  private constructor(fixture: SnapshotFixture, content: LocalContentStore) {
    this.fixture = fixture;
    this.content = content;
  }

  static async open(driver: 'erofs' | 'overlay'): Promise<Bench> {
    const fixture = await SnapshotFixture.open((root) =>
      driver === 'erofs' ? new ErofsSnapshotter({ root }) : new OverlaySnapshotter(root),
    );
    return new Bench(fixture, await LocalContentStore.open(join(fixture.base, 'content')));
  }

  options(
    parent: ChainId | undefined,
    more: Partial<FileLayerOptions> = {},
  ): FileLayerOptions & { created: number } {
    const ports = {
      content: this.content,
      snapshotter: this.fixture.store,
      gc: { exclusively: <T>(action: () => Promise<T>) => action() },
      files,
    };
    const add = async ({ blobs, chains }: { blobs: readonly string[]; chains: readonly string[] }) =>
      void this.held.push(...blobs, ...chains);
    return { ports, lease: { add }, parent, created: 1000, compression: 'gzip', signal, ...more };
  }

  async list(chain: ChainId): Promise<string[]> {
    const places = new OpenPlaces({ created: 0 });
    try {
      return listing(places.open({ kind: 'layers', layers: await this.fixture.store.places(chain) }));
    } finally {
      places.close();
    }
  }

  directory(name: string): string {
    const path = join(this.fixture.base, name);
    mkdirSync(path);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fixture[Symbol.asyncDispose]();
  }
}

function copyOf(place: FilePlace, more: Partial<CopyInstructionOptions> = {}) {
  const options: CopyInstructionOptions = {
    command: 'COPY',
    destination: '/x/',
    workdir: '/',
    chown: '',
    chmod: '',
    parents: false,
    exclude: [],
    unpack: undefined,
    ...more,
  };
  return planCopy([{ kind: 'path', place, path: '.' }], options);
}

function membersOf(bytes: Uint8Array): string[] {
  return readTar(bytes).map(
    ({ path, type, linkTarget }) => `${path} ${type}${linkTarget === '' ? '' : ` ${linkTarget}`}`,
  );
}

for (const driver of ['erofs', 'overlay'] as const)
  describe(`makeFileLayer() with ${driver}`, () => {
    test('commits a layer whose blob is its tar, compressed or as it is', async () => {
      await using bench = await Bench.open(driver);
      const base = await bench.fixture.layer([dir('etc'), file('etc/old', 'o')]);
      const context = bench.directory('context');
      writeFileSync(join(context, 'a'), 'aaa');
      const actions = copyOf({ kind: 'directory', path: context }, { destination: '/etc/' });
      const made = await makeFileLayer(actions, bench.options(base.chainId));
      const chain = chainIdOn(base.chainId, made.layer.diffId);
      expect(await bench.list(chain)).toEqual([
        expect.stringContaining('etc directory 755 0:0'),
        expect.stringContaining('etc/a file 644 0:0'),
        expect.stringContaining('etc/old file 644 0:0'),
      ]);
      const tar = gunzipSync(readFileSync(bench.content.path(made.descriptor.digest)));
      expect(`sha256:${new Bun.CryptoHasher('sha256').update(tar).digest('hex')}`).toBe(made.layer.diffId);
      expect(bench.held).toEqual([made.descriptor.digest, chain]);
      const plain = await makeFileLayer(actions, bench.options(base.chainId, { compression: 'none' }));
      expect(plain.descriptor).toEqual({
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        digest: made.layer.diffId as never,
        size: tar.length,
      });
      expect(readFileSync(bench.content.path(plain.descriptor.digest)).equals(tar)).toBe(true);
    });

    test('redated, the same files are the same layer, and older ones keep their times', async () => {
      await using bench = await Bench.open(driver);
      const base = await bench.fixture.layer([dir('etc'), file('etc/old', 'o')]);
      const context = bench.directory('context');
      mkdirSync(join(context, 'd'));
      writeFileSync(join(context, 'd', 'f'), 'f');
      linkSync(join(context, 'd', 'f'), join(context, 'd', 'g'));
      symlinkSync('f', join(context, 'd', 'l'));
      writeFileSync(join(context, 'ancient'), 'of old');
      utimesSync(join(context, 'ancient'), 400, 400);
      const actions = copyOf({ kind: 'directory', path: context }, { destination: '/etc/' });
      const make = async (created: number, compression: 'gzip' | 'none'): Promise<MadeLayer> => {
        const options = bench.options(base.chainId, { compression });
        const made = await makeFileLayer(actions, { ...options, created });
        const source = bench.content.path(made.descriptor.digest);
        return await makeRedatedLayer(source, { ...options, compression: 'none', latest: 500 });
      };
      const first = await make(1_800_000_000, 'none');
      const members = readTar(readFileSync(bench.content.path(first.descriptor.digest)));
      expect(members.map(({ path, type, mtimeSeconds }) => `${path} ${type} ${mtimeSeconds}`)).toEqual([
        'etc directory 500',
        'etc/ancient file 400',
        'etc/d directory 500',
        'etc/d/f file 500',
        'etc/d/g hardlink 500',
        'etc/d/l symlink 500',
      ]);
      expect(await bench.list(chainIdOn(base.chainId, first.layer.diffId))).toContainEqual(
        expect.stringContaining('etc/d/f file 644 0:0'),
      );
      for (const path of ['d/f', 'd', '.']) utimesSync(join(context, path), 1_700_000_000, 1_700_000_000);
      expect(await make(1_900_000_000, 'gzip')).toEqual(first);
    });

    test('nothing is left of a layer that fails, or is given up', async () => {
      await using bench = await Bench.open(driver);
      const context = bench.directory('context');
      for (const name of ['a', 'b', 'c']) writeFileSync(join(context, name), Buffer.alloc(6 << 20, name));
      const base = await bench.fixture.layer([file('x', 'no directory')]);
      const before = readdirSync(join(bench.fixture.base, 'root'), { recursive: true }).length;
      const actions = copyOf({ kind: 'directory', path: context });
      expect(await failureOf(makeFileLayer(actions, bench.options(base.chainId)))).toMatchObject({
        kind: 'invalid',
        message: 'mkdir /x: not a directory',
      });
      const controller = new AbortController();
      const progress = (): void => controller.abort(new Error('enough'));
      const given = bench.options(undefined, { signal: controller.signal, progress });
      expect(await failureOf(makeFileLayer(actions, given))).toHaveProperty('message', 'enough');
      expect(readdirSync(join(bench.fixture.base, 'root'), { recursive: true })).toHaveLength(before);
      expect(readdirSync(join(bench.content.root, 'blobs', 'sha256'))).toEqual([]);
    });

    test('a layer without changes is an empty one', async () => {
      await using bench = await Bench.open(driver);
      const base = await bench.fixture.layer([dir('w')]);
      const actions = [{ kind: 'make-directory', path: '/w', mode: 0o755, owner: undefined } as const];
      const made = await makeFileLayer(actions, bench.options(base.chainId, { compression: 'none' }));
      // The digest that every empty layer of Docker's has.
      expect(made.layer.diffId as string).toBe(
        'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef',
      );
    });
  });

for (const driver of ['erofs', 'overlay'] as const)
  test(`makeRunLayer() with ${driver} has what was written, removed and replaced`, async () => {
    await using bench = await Bench.open(driver);
    const base = await bench.fixture.layer([
      dir('d'),
      file('d/gone', 'g'),
      file('d/kept', 'k'),
      dir('again'),
      file('again/old', 'o'),
      dir('etc'),
      file('etc/hosts', ''),
      dir('moved'),
      file('moved/in', 'i'),
      file('changed', 'before'),
      symlink('l', 'd'),
    ]);
    const target = await bench.fixture.mounted('run', base.chainId);
    const at = (path: string): string => join(target, path);
    rmSync(at('d/gone'));
    rmSync(at('again'), { recursive: true });
    mkdirSync(at('again'));
    writeFileSync(at('again/new'), 'n');
    writeFileSync(at('changed'), 'after');
    mkdirSync(at('new'));
    chmodSync(at('new'), 0o1777);
    writeFileSync(at('new/one'), '1');
    linkSync(at('new/one'), at('new/two'));
    setXattr(at('new/one'), 'security.capability', capability);
    chownSync(at('new/one'), 12, 13);
    setXattr(at('new/one'), 'security.capability', capability);
    symlinkSync('../../..', at('new/up'));
    makeFifo(at('new/fifo'), 0o600);
    makeDevice(at('new/null'), { type: 'char', mode: 0o666, major: 1, minor: 3 });
    const server = createServer().listen(at('new/socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    writeFileSync(at('etc/hosts'), 'of the run');
    writeFileSync(at('etc/resolv.conf'), 'of the run');
    rmSync(at('moved'), { recursive: true });
    mkdirSync(at('new/moved'));
    writeFileSync(at('new/moved/in'), 'i');
    const shown = execFileSync('find', [target, '-mindepth', '1', '-printf', '%P\\n'], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .sort();
    const snapshotKey = key('run');
    await bench.fixture.store.unmount(snapshotKey, target);
    server.close();
    const skip = ['etc/hosts', 'etc/resolv.conf'];
    const made = await makeRunLayer(snapshotKey, { ...bench.options(base.chainId), skip });
    const tar = gunzipSync(readFileSync(bench.content.path(made.descriptor.digest)));
    expect(membersOf(tar)).toEqual([
      'again directory',
      'again/.wh..wh..opq file',
      'again/new file',
      'changed file',
      'd directory',
      'd/.wh.gone file',
      '.wh.moved file',
      'new directory',
      'new/fifo fifo',
      'new/moved directory',
      'new/moved/in file',
      'new/null char',
      'new/one file',
      'new/two hardlink new/one',
      'new/up symlink ../../..',
    ]);
    const one = readTar(tar).find(({ path }) => path === 'new/one');
    expect(one).toMatchObject({ uid: 12, gid: 13, content: Buffer.from('1') });
    expect(Buffer.from(one?.xattrs.get('security.capability') ?? []).equals(capability)).toBe(true);
    const paths = (await bench.list(chainIdOn(base.chainId, made.layer.diffId))).map(
      (line) => line.split(' ')[0],
    );
    const expected = shown.filter((path) => path !== 'etc/resolv.conf' && path !== 'new/socket');
    expect(paths).toEqual(expected);
  });
