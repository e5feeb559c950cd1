import { expect, test } from 'bun:test';
import { failureOf } from '../../../test/support/failure-of.ts';
import type { ChainId } from '../../oci/digest.ts';
import { ErofsSnapshotter } from '../../snapshots/erofs/erofs-snapshotter.ts';
import { OverlaySnapshotter } from '../../snapshots/overlay/overlay-snapshotter.ts';
import {
  dir,
  file,
  type LayerMember,
  link,
  opaque,
  symlink,
  whiteout,
} from '../../snapshots/testing/layer-tar.ts';
import { SnapshotFixture } from '../../snapshots/testing/snapshot-fixture.ts';
import type { ImageDiff } from '../../wire/image-diff.ts';
import type { ImageLayers } from '../../wire/image-layers.ts';
import { type ExploreJob, runExploreJob } from './explore-job.ts';

const drivers = [
  ['erofs', (root: string) => new ErofsSnapshotter({ root })],
  ['overlay', (root: string) => new OverlaySnapshotter(root)],
] as const;
const facts = { DiffId: '', Digest: '', CreatedBy: '', Created: '', BlobSize: 0 };
const head = { Id: 'sha256:x', Platform: { os: 'linux', architecture: 'amd64' } };

async function answer<T>(job: ExploreJob, signal = new AbortController().signal): Promise<T> {
  const pieces: Uint8Array[] = [];
  await runExploreJob(job, { signal, write: (piece) => void pieces.push(piece) });
  return JSON.parse(Buffer.concat(pieces).toString()) as T;
}

async function layersOf(fixture: SnapshotFixture, chainId: ChainId): Promise<ImageLayers> {
  const layers = (await fixture.store.places(chainId)).map((place) => ({ place, facts }));
  return await answer<ImageLayers>({ kind: 'layers', head, layers, withFiles: true });
}

async function diffOf(fixture: SnapshotFixture, from: ChainId, to: ChainId): Promise<ImageDiff> {
  const [before, after] = [await fixture.store.places(from), await fixture.store.places(to)];
  return await answer<ImageDiff>({
    kind: 'diff',
    head: { From: 'a', To: 'b' },
    from: before,
    to: after,
  });
}

/** `+/path file 5!`: kind, path, type, bytes, and `!` for wasted. */
function short({ Layers }: ImageLayers): string[][] {
  const signs = { added: '+', modified: '~', removed: '-' };
  return Layers.map(({ Entries = [] }) =>
    Entries.map(
      ({ Kind, Path, Type, Size, Wasted }) => `${signs[Kind]}${Path} ${Type} ${Size}${Wasted ? '!' : ''}`,
    ),
  );
}

function changes({ Changes }: ImageDiff): string[] {
  const signs = { added: '+', modified: '~', removed: '-' };
  return Changes.map(
    ({ Kind, Path, Type, FromSize, ToSize }) => `${signs[Kind]}${Path} ${Type} ${FromSize}>${ToSize}`,
  );
}

for (const [driver, create] of drivers) {
  test(`${driver}: what layers bring, and what later ones replace or remove of it`, async () => {
    await using fixture = await SnapshotFixture.open(create);
    const top = await fixture.chain(
      [
        dir('app'),
        file('app/kept', '12345'),
        file('app/new', 'v1'),
        file('app/old', 'old bytes'),
        dir('cache'),
        file('cache/a', 'aaaa'),
        file('cache/b', 'bb'),
        symlink('current', 'app'),
        dir('gone'),
        file('gone/x', 'xxx'),
      ],
      [file('app/new', 'version two'), whiteout('app/old'), whiteout('absent'), file('gone', 'no directory')],
      [dir('cache'), opaque('cache'), file('cache/b', 'BBB'), file('app/new', 'v3')],
    );
    const image = await layersOf(fixture, top.chainId);
    expect(short(image)).toEqual([
      [
        '+/app directory 0',
        '+/app/kept file 5',
        '+/app/new file 2!',
        '+/app/old file 9!',
        '+/cache directory 0!',
        '+/cache/a file 4!',
        '+/cache/b file 2!',
        '+/current symlink 0',
        '+/gone directory 0!',
        '+/gone/x file 3!',
      ],
      ['~/app/new file 11!', '-/app/old file 0', '~/gone file 12'],
      ['~/app/new file 2', '~/cache directory 0', '-/cache/a file 0', '~/cache/b file 3'],
    ]);
    expect(image.Layers.map(({ Files, Size, WastedSize }) => [Files, Size, WastedSize])).toEqual([
      [10, 25, 20],
      [3, 23, 11],
      [4, 5, 0],
    ]);
    expect([image.Size, image.WastedSize]).toEqual([53, 31]);
  });

  test(`${driver}: a file with several names counts once, and is wasted when the last is gone`, async () => {
    await using fixture = await SnapshotFixture.open(create);
    const names: LayerMember[] = [file('a', '1234567'), link('b', 'a'), file('c', '89'), link('d', 'c')];
    const top = await fixture.chain(names, [whiteout('a'), whiteout('c')], [whiteout('d')]);
    const [first] = (await layersOf(fixture, top.chainId)).Layers;
    expect(first).toMatchObject({ Files: 4, Size: 9, WastedSize: 2 });
  });

  test(`${driver}: a layer whose root is opaque wastes all below it`, async () => {
    await using fixture = await SnapshotFixture.open(create);
    const top = await fixture.chain(
      [file('a', 'lost'), file('b', 'again')],
      [{ path: '.wh..wh..opq' }, file('b', 'new')],
    );
    const image = await layersOf(fixture, top.chainId);
    expect(short(image)).toEqual([
      ['+/a file 4!', '+/b file 5!'],
      ['-/a file 0', '~/b file 3'],
    ]);
  });

  test(`${driver}: names that are no UTF-8 come as lone surrogates`, async () => {
    await using fixture = await SnapshotFixture.open(create);
    const top = await fixture.layer([file('bad\udcff', 'x'), file('ä', 'y')]);
    expect(short(await layersOf(fixture, top.chainId))).toEqual([['+/bad\udcff file 1', '+/ä file 1']]);
  });

  test(`${driver}: how two images differ`, async () => {
    await using fixture = await SnapshotFixture.open(create);
    const base = [
      dir('d'),
      file('d/same', 'same'),
      file('d/mode', 'm'),
      file('d/text', 'text'),
      file('z', 'z'),
    ];
    const from = await fixture.chain(base, [file('d/from', 'only here'), symlink('l', 'd')]);
    const to = await fixture.chain(base, [
      file('d/mode', 'm', { mode: 0o600 }),
      file('d/text', 'TEXT'),
      file('d/same', 'same', { mtimeSeconds: 5 }),
      dir('new'),
      file('new/x', Buffer.alloc(300_000, 1)),
      symlink('l', 'z'),
      whiteout('z'),
    ]);
    expect(changes(await diffOf(fixture, from.chainId, to.chainId))).toEqual([
      '-/d/from file 9>0',
      '~/d/mode file 1>1',
      '~/d/text file 4>4',
      '~/l symlink 0>0',
      '+/new directory 0>0',
      '+/new/x file 0>300000',
      '-/z file 1>0',
    ]);
    expect(changes(await diffOf(fixture, to.chainId, to.chainId))).toEqual([]);
  });

  test(`${driver}: bytes of different layers are compared, and a directory may become a file`, async () => {
    await using fixture = await SnapshotFixture.open(create);
    const big = Buffer.alloc(700_000, 7);
    const other = Buffer.from(big);
    other[699_999] = 8;
    const from = await fixture.layer([file('big', big), file('equal', big), dir('x'), file('x/y', 'y')]);
    const to = await fixture.layer([file('big', other), file('equal', big), file('x', 'now')]);
    expect(changes(await diffOf(fixture, from.chainId, to.chainId))).toEqual([
      '~/big file 700000>700000',
      '~/x file 0>3',
      '-/x/y file 1>0',
    ]);
  });

  test(`${driver}: an abort ends it`, async () => {
    await using fixture = await SnapshotFixture.open(create);
    const { chainId } = await fixture.layer([file('a', 'a')]);
    const layers = (await fixture.store.places(chainId)).map((place) => ({ place, facts }));
    const gone = new Error('the client is gone');
    const job: ExploreJob = { kind: 'layers', head, layers, withFiles: true };
    expect(await failureOf(answer(job, AbortSignal.abort(gone)))).toBe(gone);
  });
}
