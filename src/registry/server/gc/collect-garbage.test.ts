import { beforeEach, expect, test } from 'bun:test';
import { silentLogger } from '../../../errors/logger.ts';
import type { Digest } from '../../../oci/digest.ts';
import {
  blobOf,
  OCI_INDEX,
  OCI_MANIFEST,
  type SampleBlob,
  type SampleImage,
  sampleImage,
} from '../../testing/sample-image.ts';
import { OwnBlobCollector } from '../blob-collector.ts';
import { MemoryBlobBackend, MemoryBlobStore } from '../memory-blob-backend.ts';
import { publishImage } from '../publish-image.ts';
import { RepositoryIndex } from '../repository-index.ts';
import { type CollectionRequest, collectGarbage } from './collect-garbage.ts';

let store: MemoryBlobStore;
let index: RepositoryIndex;
let backend: MemoryBlobBackend;
beforeEach(() => {
  store = new MemoryBlobStore();
  index = new RepositoryIndex();
  backend = new MemoryBlobBackend(store, index);
});

const collect = (request: Partial<CollectionRequest> = {}) => {
  const keeper = new OwnBlobCollector(store, () => index.digests());
  const ports = { store, index, keeper, logger: silentLogger };
  return collectGarbage(ports, { dryRun: false, untagged: false, graceMs: -1000, ...request });
};
const publish = (repository: string, tag: string | undefined, image: SampleImage) =>
  publishImage(backend, {
    repository,
    tag,
    manifest: { mediaType: image.mediaType, bytes: image.manifest.bytes },
    blobs: [image.config, ...image.layers].map(({ digest, bytes }) => ({
      digest,
      open: () => new Blob([bytes]).stream(),
    })),
  });
async function upload(repository: string, blob: SampleBlob): Promise<Digest> {
  const session = await backend.upload(`${repository}-${blob.digest}`);
  await session.write(blob.bytes);
  await session.commit(repository, blob.digest);
  return blob.digest;
}

test('removes blobs that no manifest names, and says how much', async () => {
  const image = sampleImage(['kept']);
  await publish('app', 'v1', image);
  const orphan = await upload('app', blobOf('an orphan'));
  expect(await collect({ dryRun: true })).toEqual({
    repositories: [{ repository: 'app', manifests: [], blobs: [orphan] }],
    unnamedBytes: 9,
  });
  expect(store.blobs.has(orphan)).toBe(true);
  await collect();
  expect(store.blobs.has(orphan)).toBe(false);
  expect(index.has('app', orphan)).toBe(false);
  for (const { digest } of [image.manifest, image.config, ...image.layers])
    expect(store.blobs.has(digest)).toBe(true);
  expect((await collect()).repositories).toEqual([]);
});

test('a blob that another repository names stays in the store', async () => {
  const image = sampleImage(['shared']);
  await publish('one', 'v1', image);
  const layer = image.layers[0]?.digest ?? blobOf('').digest;
  await upload('two', image.layers[0] ?? blobOf(''));
  expect(await collect()).toMatchObject({ unnamedBytes: 0 });
  expect(index.has('two', layer)).toBe(false);
  expect(store.blobs.has(layer)).toBe(true);
});

test('what was given or looked at a moment ago stays', async () => {
  const digest = await upload('app', blobOf('an upload whose manifest comes next'));
  expect((await collect({ graceMs: 60_000 })).repositories).toEqual([]);
  expect(store.blobs.has(digest)).toBe(true);
});

test('a blob that is looked at while the collection runs stays', async () => {
  const digest = await upload('app', blobOf('old'));
  await Bun.sleep(20);
  const read = store.read.bind(store);
  await publish('app', 'v1', sampleImage(['x']));
  // Between plan and sweep a client asks for it.
  store.read = async (wanted) => {
    queueMicrotask(() => void backend.openBlob('app', digest));
    return await read(wanted);
  };
  await collect({ graceMs: 10 });
  expect(store.blobs.has(digest)).toBe(true);
});

test('untagged manifests stay unless asked for; children of indexes and referrers of what stays do in any case', async () => {
  const [child, loose, signed] = [sampleImage(['child']), sampleImage(['loose']), sampleImage(['signed'])];
  await publish('app', undefined, child);
  await publish('app', undefined, loose);
  await publish('app', 'signed', signed);
  const link = ({ manifest }: SampleImage) => ({
    mediaType: OCI_MANIFEST,
    digest: manifest.digest,
    size: manifest.bytes.length,
  });
  const tree = blobOf(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [link(child)] }));
  await publishImage(backend, {
    repository: 'app',
    tag: 'multi',
    manifest: { mediaType: OCI_INDEX, bytes: tree.bytes },
    blobs: [],
  });
  const signature = sampleImage(['signature'], OCI_MANIFEST, { subject: link(signed) });
  const stray = sampleImage(['stray signature'], OCI_MANIFEST, { subject: link(loose) });
  await publish('app', undefined, signature);
  await publish('app', undefined, stray);
  expect((await collect()).repositories).toEqual([]);
  const { repositories } = await collect({ untagged: true });
  expect(new Set(repositories[0]?.manifests)).toEqual(
    new Set([loose.manifest.digest, stray.manifest.digest]),
  );
  for (const { manifest, layers } of [child, signed, signature])
    for (const { digest } of [manifest, ...layers]) expect(store.blobs.has(digest)).toBe(true);
  for (const { manifest, layers } of [loose, stray])
    for (const { digest } of [manifest, ...layers]) expect(store.blobs.has(digest)).toBe(false);
});

test('a repository with a manifest that cannot be read is left alone', async () => {
  const image = sampleImage(['x']);
  await publish('app', 'v1', image);
  const orphan = await upload('app', blobOf('orphan'));
  store.blobs.delete(image.manifest.digest);
  expect((await collect({ untagged: true })).repositories).toEqual([]);
  expect(store.blobs.has(orphan)).toBe(true);
});

test('what is held is not removed, nor what nobody names while it is', async () => {
  const keeper = new OwnBlobCollector(store, () => index.digests());
  const { digest, bytes } = blobOf('under way');
  const hold = await keeper.hold([digest]);
  await store.write(bytes);
  expect(await keeper.releaseUnnamed()).toBe(0);
  hold.release();
  expect(await keeper.releaseUnnamed()).toBe(9);
  expect(store.blobs.size).toBe(0);
});
