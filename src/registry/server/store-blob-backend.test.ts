import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../errors/engine-error.ts';
import { blobOf, sampleImage } from '../testing/sample-image.ts';
import { MemoryBlobBackend, MemoryBlobStore } from './memory-blob-backend.ts';
import { publishImage } from './publish-image.ts';
import { RepositoryIndex } from './repository-index.ts';

let directory: string;
let store: MemoryBlobStore;
let backend: MemoryBlobBackend;

const reopen = async () => new MemoryBlobBackend(store, await RepositoryIndex.open(directory));

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-registry-'));
  store = new MemoryBlobStore();
  backend = await reopen();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const image = sampleImage(['a layer']);
const publish = (repository: string, tag: string) =>
  publishImage(backend, {
    repository,
    tag,
    manifest: { mediaType: image.mediaType, bytes: image.manifest.bytes },
    blobs: [image.config, ...image.layers].map(({ digest, bytes }) => ({
      digest,
      open: () => new Blob([bytes]).stream(),
    })),
  });

describe('StoreBlobBackend', () => {
  test('another instance over the same folder sees the same', async () => {
    await publish('library/app', 'v1');
    await publish('library/app/nested', 'v2');
    const again = await reopen();
    expect((await again.manifest('library/app', 'v1'))?.bytes).toEqual(image.manifest.bytes);
    expect((await again.repositories()).toSorted()).toEqual(['library/app', 'library/app/nested']);
    expect(await again.tags('library/app/nested')).toEqual(['v2']);
  });

  test('files that a crash left under way are nobody', async () => {
    await publish('app', 'v1');
    for (const folder of ['_tags', '_manifests', '_blobs'])
      writeFileSync(join(directory, 'app', folder, '.tmp-x'), '{');
    mkdirSync(join(directory, 'half', '_blobs'), { recursive: true });
    writeFileSync(join(directory, 'app', '_manifests', 'f'.repeat(64)), '{');
    const again = await reopen();
    expect(await again.tags('app')).toEqual(['v1']);
    expect(await again.referrers('app', image.manifest.digest)).toEqual([]);
    expect(await again.repositories()).toEqual(['app']);
    expect(await again.tags('half')).toBeUndefined();
  });

  test('publishing twice leaves one of each and no temporary file', async () => {
    await publish('app', 'v1');
    await publish('app', 'v1');
    const names = readdirSync(join(directory, 'app'), { recursive: true }).map(String);
    expect(names.filter((name) => name.includes('.tmp'))).toEqual([]);
    expect(names.filter((name) => name.startsWith('_blobs/'))).toHaveLength(3);
  });

  test('a blob goes with the last repository that has it', async () => {
    const layer = image.layers[0]?.digest ?? blobOf('').digest;
    await publish('one', 'v1');
    await publish('two', 'v1');
    expect(await backend.deleteBlob('one', layer)).toBe(true);
    expect(store.blobs.has(layer)).toBe(true);
    expect(await backend.deleteBlob('one', layer)).toBe(false);
    expect(await backend.deleteBlob('two', layer)).toBe(true);
    expect(store.blobs.has(layer)).toBe(false);
  });

  test.each(['../out', '/abs', 'a/../../out', 'UP', 'a/_tags', '', '.'])(
    'never leaves its folder: %j',
    async (name) => {
      const index = await RepositoryIndex.open(directory);
      const refused = await index.linkBlob(name, blobOf('x').digest).catch(messageOf);
      expect(refused).toContain('not a valid name');
      expect(readdirSync(directory)).toEqual([]);
    },
  );

  test('a manifest whose bytes are gone is unknown, until it is pushed again', async () => {
    await publish('app', 'v1');
    store.blobs.delete(image.manifest.digest);
    expect(await backend.manifest('app', 'v1')).toBeUndefined();
    await publish('app', 'v1');
    expect((await backend.manifest('app', 'v1'))?.bytes).toEqual(image.manifest.bytes);
  });

  test('a name that was asked for in vain is not remembered', async () => {
    const index = new RepositoryIndex();
    await index.removeTag('nosuch', 'v1');
    await index.removeManifest('nosuch', image.manifest.digest);
    await index.unlinkBlob('nosuch', image.manifest.digest);
    expect(index.names()).toEqual([]);
  });

  test('changes of one repository at the same time end in one state, on disk and in memory', async () => {
    await publish('app', 'v1');
    const index = await RepositoryIndex.open(directory);
    const entry = { descriptor: { mediaType: image.mediaType, digest: image.manifest.digest, size: 1 } };
    await Promise.all([
      index.removeManifest('app', image.manifest.digest),
      index.putManifest('app', entry, ['v2']),
      index.unlinkBlob('app', image.config.digest),
      index.removeTag('app', 'v1'),
      index.linkBlob('app', image.config.digest),
    ]);
    const again = await RepositoryIndex.open(directory);
    for (const one of [index, again]) {
      expect([...(one.repository('app')?.tags.keys() ?? [])]).toEqual(['v2']);
      expect(one.has('app', image.config.digest)).toBe(true);
    }
  });

  test('a blob with another digest is not published', async () => {
    const wrong = { digest: blobOf('promised').digest, open: () => new Blob(['sent']).stream() };
    const manifest = { mediaType: image.mediaType, bytes: image.manifest.bytes };
    const published = publishImage(backend, { repository: 'app', tag: 'v1', manifest, blobs: [wrong] });
    expect(await published.catch((error: unknown) => error)).toMatchObject({ code: 'digest-mismatch' });
    expect(await backend.repositories()).toEqual([]);
  });
});
