import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../errors/engine-error.ts';
import { MemoryBlobStore } from '../testing/memory-blob-store.ts';
import { blobOf, sampleImage } from '../testing/sample-image.ts';
import { publishImage } from './publish-image.ts';
import { StoreBlobBackend } from './store-blob-backend.ts';

let directory: string;
let store: MemoryBlobStore;
let backend: StoreBlobBackend;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-registry-'));
  store = new MemoryBlobStore();
  backend = new StoreBlobBackend(store, directory);
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
    const again = new StoreBlobBackend(store, directory);
    expect((await again.manifest('library/app', 'v1'))?.bytes).toEqual(image.manifest.bytes);
    expect((await again.repositories()).toSorted()).toEqual(['library/app', 'library/app/nested']);
    expect(await again.tags('library/app/nested')).toEqual(['v2']);
  });

  test('files that a crash left under way are nobody', async () => {
    await publish('app', 'v1');
    for (const folder of ['_tags', '_manifests', '_blobs'])
      writeFileSync(join(directory, 'app', folder, '.tmp-x'), '{');
    mkdirSync(join(directory, 'half', '_blobs'), { recursive: true });
    expect(await backend.tags('app')).toEqual(['v1']);
    expect(await backend.referrers('app', image.manifest.digest)).toEqual([]);
    expect(await backend.repositories()).toEqual(['app']);
    expect(await backend.tags('half')).toBeUndefined();
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
      const refused = await backend.linkBlob(name, blobOf('x').digest).catch(messageOf);
      expect(refused).toContain('not a valid name');
      expect(readdirSync(directory)).toEqual([]);
    },
  );

  test('a blob with another digest is not published', async () => {
    const wrong = { digest: blobOf('promised').digest, open: () => new Blob(['sent']).stream() };
    const manifest = { mediaType: image.mediaType, bytes: image.manifest.bytes };
    const published = publishImage(backend, { repository: 'app', tag: 'v1', manifest, blobs: [wrong] });
    expect(await published.catch((error: unknown) => error)).toMatchObject({ code: 'digest-mismatch' });
    expect(await backend.repositories()).toEqual([]);
  });
});
