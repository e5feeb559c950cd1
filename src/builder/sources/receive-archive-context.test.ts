import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { failureOf } from '../../../test/support/failure-of.ts';
import { rawMember, rawTar } from '../../archive/testing/raw-tar.ts';
import { listing, tarOf } from '../copy/testing/copy-fixture.ts';
import type { FilePlace, PlaceFilter } from './file-place.ts';
import { OpenPlaces } from './open-file-place.ts';
import { receiveArchiveContext } from './receive-archive-context.ts';

const signal = new AbortController().signal;
const tree = [
  'd 700 3:4 d',
  'f 640 1:2 d/.wh.x w',
  'f 644 0:0 d/file content',
  'h d/hard d/file',
  'l d/link ../../..',
  'f 644 0:0 .wh..wh..opq o',
];
let directory: string;
let places: OpenPlaces;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'receive-archive-'));
  places = new OpenPlaces({ created: 0 });
});

afterEach(() => {
  places.close();
  rmSync(directory, { recursive: true, force: true });
});

async function receive(bytes: Uint8Array, orDockerfile = false): Promise<FilePlace> {
  const file = join(directory, 'received');
  writeFileSync(file, bytes);
  return await receiveArchiveContext(file, { directory: join(directory, 'tree'), orDockerfile, signal });
}

function list(place: FilePlace, filter?: PlaceFilter): string[] {
  const shown = filter !== undefined && place.kind === 'archive' ? { ...place, filter } : place;
  return listing(places.open(shown)).map((line) => line.split(' ')[0] ?? '');
}

describe('receiveArchiveContext()', () => {
  for (const [name, pack] of [
    ['plain', (bytes: Buffer) => bytes],
    ['gzip', (bytes: Buffer) => gzipSync(bytes)],
    ['zstd', (bytes: Buffer) => zstdCompressSync(bytes)],
  ] as const)
    test(`takes ${name} archives, and names with .wh. as any other`, async () => {
      const place = await receive(pack(await tarOf(tree)));
      expect(listing(places.open(place))).toEqual([
        '.wh..wh..opq file 644 0:0 221cnzweg2pg',
        'd directory 700 3:4',
        'd/.wh.x file 640 1:2 1gu8df4l7q5mm',
        'd/file file 644 0:0 251v0so4ku8b3',
        'd/hard file 644 0:0 251v0so4ku8b3 = d/file',
        'd/link symlink 0:0 -> ../../..',
      ]);
    });

  test('a Dockerfile alone is one, where it may be', async () => {
    const place = await receive(Buffer.from('FROM scratch\n'), true);
    expect(list(place)).toEqual(['Dockerfile']);
    expect(await failureOf(receive(Buffer.from('FROM scratch\n')))).toMatchObject({ kind: 'invalid' });
  });

  test('refuses members that lead out, and archives that end too early', async () => {
    const evil = rawTar(rawMember({ name: '../evil' }, 'x'));
    expect(await failureOf(receive(evil, true))).toMatchObject({ code: 'archive-hostile' });
    const cut = (await tarOf(tree)).subarray(0, 2000);
    expect(await failureOf(receive(cut, true))).toMatchObject({ code: 'archive-truncated' });
  });

  test('a filter leaves out what .dockerignore says, and keeps directories for what is taken back', async () => {
    const place = await receive(
      await tarOf(['d 755 0:0 a', 'f 644 0:0 a/x x', 'd 755 0:0 a/b', 'f 644 0:0 a/b/y y', 'f 644 0:0 z z']),
    );
    const want = { include: [], exclude: [], follow: [] };
    expect(list(place, { ...want, exclude: ['a'] })).toEqual(['z']);
    expect(list(place, { ...want, exclude: ['a', '!a/b/y'] })).toEqual(['a', 'a/b', 'a/b/y', 'z']);
    expect(list(place, { ...want, include: ['a/b'] })).toEqual(['a', 'a/b', 'a/b/y']);
    expect(list(place, { ...want, exclude: ['**/y', 'z'] })).toEqual(['a', 'a/b', 'a/x']);
  });

  test('a filter follows links to what is wanted', async () => {
    const place = await receive(
      await tarOf(['d 755 0:0 real', 'f 644 0:0 real/x x', 'l alias real', 'f 644 0:0 z z']),
    );
    expect(list(place, { include: ['alias/x'], exclude: [], follow: ['alias/x'] })).toEqual([
      'alias',
      'real',
      'real/x',
    ]);
  });
});
