import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../../test/support/failure-of.ts';
import { jsonBytes, makeBlob } from '../../../test/support/images/image-maker.ts';
import { file, makeTar, type TarMember } from '../../../test/support/images/tar-maker.ts';
import type { ContentStore } from '../../content/content-store.ts';
import { LocalContentStore } from '../../content/local-content-store.ts';
import { receiveArchive } from './receive-archive.ts';

let root: string;
let content: LocalContentStore;
/** What was asked of the disk. */
let work: { writes: number; ingests: number; holds: number };
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'sampan-archive-'));
  content = await LocalContentStore.open(root);
  work = { writes: 0, ingests: 0, holds: 0 };
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function counted(): ContentStore {
  return new Proxy(content, {
    get: (target, name) => {
      if (name === 'write') work.writes++;
      if (name === 'ingest') work.ingests++;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const receive = (members: TarMember[]) =>
  receiveArchive(new Blob([makeTar(members).slice()]).stream(), {
    content: counted(),
    hold: async () => void work.holds++,
    signal: new AbortController().signal,
  });
const left = () => ['blobs/sha256', 'ingest'].flatMap((folder) => readdirSync(join(root, folder)));
const blobOf = (bytes: Uint8Array | string) => {
  const { descriptor } = makeBlob(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes, 'x');
  return { digest: descriptor.digest, member: file(`blobs/sha256/${descriptor.digest.slice(7)}`, bytes) };
};
const tiny = (count: number) => Array.from({ length: count }, (_, at) => blobOf(`tiny ${at}`).member);

test('tiny blobs that no document names cost no file and no hold, however many', async () => {
  const wanted = blobOf('wanted');
  const config = blobOf(jsonBytes({ layers: wanted.digest }));
  const index = file('index.json', jsonBytes({ manifests: [{ digest: config.digest }] }));
  const archive = await receive([...tiny(20_000), wanted.member, index, config.member, ...tiny(10)]);
  expect(work).toEqual({ writes: 2, ingests: 0, holds: 2 });
  expect(left().sort()).toEqual([wanted.digest, config.digest].map((digest) => digest.slice(7)).sort());
  expect([...archive.files.keys()].sort()).toEqual(
    ['index.json', wanted.member.name, config.member.name].sort(),
  );
});

test('a manifest too large to wait in memory still tells which small ones are wanted', async () => {
  const wanted = blobOf('wanted');
  const manifest = blobOf(jsonBytes({ layers: [wanted.digest], comment: 'x'.repeat(100_000) }));
  const index = file('index.json', jsonBytes({ manifests: [{ digest: manifest.digest }] }));
  await receive([wanted.member, manifest.member, index]);
  expect(left()).toContain(wanted.digest.slice(7));
});

test('more members, and more blobs, than any archive of images has are refused, and nothing is left', async () => {
  const many = Array.from({ length: 50_001 }, (_, at) => file(`m${at}`, ''));
  expect(await failureOf(receive(many))).toMatchObject({ code: 'archive-hostile' });
  const blobs = tiny(16_385);
  const hexes = blobs.map(({ name }) => name.slice(-64));
  expect(await failureOf(receive([...blobs, file('index.json', jsonBytes(hexes))]))).toMatchObject({
    code: 'archive-hostile',
    message: 'Cannot load archive: it has more than 16384 blobs',
  });
  expect([work, left()]).toEqual([{ writes: 0, ingests: 0, holds: 0 }, []]);
});

test('a small blob that lies is refused whether or not it is wanted', async () => {
  const lie = { ...blobOf('truth').member, content: 'a lie' };
  expect(await failureOf(receive([lie]))).toMatchObject({
    code: 'digest-mismatch',
    message: `Cannot load archive: ${lie.name} does not have the digest that names it`,
  });
  expect(left()).toEqual([]);
});

test('small blobs wait in memory up to a bound', async () => {
  const large = Array.from({ length: 300 }, (_, at) =>
    blobOf(
      String(at)
        .repeat(64 << 10)
        .slice(0, 64 << 10),
    ),
  );
  await receive(large.map(({ member }) => member));
  expect(work.ingests).toBe(300 - 256);
});
