import { afterEach, beforeEach, expect, test } from 'bun:test';
import { ImageBench } from '../../../test/support/images/image-bench.ts';
import { makeImage, makeLayer, noise } from '../../../test/support/images/image-maker.ts';
import { file, makeTar } from '../../../test/support/images/tar-maker.ts';
import { silentLogger } from '../../errors/logger.ts';
import { type Digest, hexOf } from '../../oci/digest.ts';
import { type GcPorts, ImageGc } from './gc.ts';
import type { GcRoots } from './lease-store.ts';

let bench: ImageBench;
beforeEach(async () => {
  bench = await ImageBench.start();
});
afterEach(() => bench.stop());

const name = { repository: 'docker.io/library/app', tag: 'latest' };
const layers = ['a', 'b'].map((text) => makeLayer(makeTar([file(text, text.repeat(3000))])));
const image = makeImage(layers);

test('collectGarbage() takes what nothing refers to and leaves every image whole', async () => {
  bench.registry.add(name, image);
  await bench.pull('app');
  const kept = bench.stored().blobs;
  await bench.content.write(noise(5000));
  expect(await bench.images.collectGarbage()).toBe(5000);
  expect(bench.stored().blobs).toEqual(kept);
  expect((await bench.snapshotter.layers()).length).toBe(2);
});

test('a crash between rows and files is made good by the next start', async () => {
  bench.registry.add(name, image);
  await bench.pull('app');
  await bench.db.transact([{ sql: 'DELETE FROM image_tags' }, { sql: 'DELETE FROM images' }]);
  await bench.restart();
  expect(bench.images.count()).toBe(0);
  await bench.images.collectGarbage();
  expect(bench.stored()).toEqual({ blobs: [], ingests: 0 });
  expect(await bench.snapshotter.layers()).toEqual([]);
});

test('an image whose content is damaged is left out, and can be pulled again', async () => {
  bench.registry.add(name, image);
  await bench.pull('app');
  await bench.content.remove(image.descriptor.digest);
  const config = image.config.descriptor;
  await Bun.write(bench.content.path(config.digest), new Uint8Array(config.size));
  await bench.restart();
  expect(bench.images.count()).toBe(0);
  await bench.pull('app');
  expect((await bench.images.get('app')).id).toBe(image.descriptor.digest);
});

test('a layer blob that is gone comes again with the next pull', async () => {
  bench.registry.add(name, image);
  await bench.pull('app');
  const blob = layers[1]!.descriptor.digest;
  await bench.content.remove(blob);
  bench.registry.requests.length = 0;
  await bench.pull('app');
  expect(bench.registry.requests).toEqual([{ digest: blob, start: 0 }]);
  expect(bench.stored().blobs).toContain(hexOf(blob));
});

test('a lease holds, and what was removed meanwhile goes at its end; removal while a pull of the same layers is under way costs neither', async () => {
  bench.registry.add(name, image);
  await bench.pull('app');
  const lease = await bench.images.lease({ blobs: [layers[0]!.descriptor.digest], chains: [] });
  await bench.images.remove('app', { force: false });
  await bench.images.settled();
  expect(bench.stored().blobs).toEqual([hexOf(layers[0]!.descriptor.digest)]);
  await lease.release();
  await bench.images.settled();
  expect(bench.stored().blobs).toEqual([]);
  for (let round = 0; round < 10; round++) {
    await bench.pull('app');
    await Promise.all([bench.images.remove('app', { force: false }), bench.pull('app')]).catch(
      () => undefined,
    );
    await bench.images.settled();
    if (bench.images.count() === 0) continue;
    const view = await bench.images.get(image.descriptor.digest);
    for (const { blob } of view.layers) expect(bench.stored().blobs).toContain(hexOf(blob));
    expect((await bench.snapshotter.layers()).length).toBe(2);
  }
});

test('prune() takes unused images with their tags, and says what it freed', async () => {
  bench.registry.add(name, image);
  await bench.pull('app');
  const all = { danglingOnly: false, filters: new Map() };
  bench.users.set(image.descriptor.digest, [{ id: 'c', running: false }]);
  expect(await bench.images.prune(all)).toEqual({ deleted: [], reclaimedBytes: 0 });
  bench.users.clear();
  const pruned = await bench.images.prune(all);
  expect(pruned.deleted).toEqual([{ untagged: 'app:latest' }, { deleted: image.descriptor.digest }]);
  expect(pruned.reclaimedBytes).toBeGreaterThan(2 * 3000);
  expect(bench.events.at(-1)).toMatchObject({
    action: 'prune',
    attributes: { reclaimed: String(pruned.reclaimedBytes) },
  });
  expect(bench.stored().blobs).toEqual([]);
});

test('what a dead daemon was pulling is held for the next pull, and no longer than that', async () => {
  bench.registry.add(name, image);
  const blobs = [
    image.descriptor.digest,
    image.config.descriptor.digest,
    ...layers.map(({ descriptor }) => descriptor.digest),
  ];
  for (let count = 0; count < 5; count++) await bench.images.lease({ blobs, chains: [] });
  await bench.content.write(layers[0]!.bytes);
  await bench.restart();
  await bench.images.collectGarbage();
  expect(bench.stored().blobs).toEqual([hexOf(layers[0]!.descriptor.digest)]);
  await bench.pull('app');
  await bench.images.remove('app', { force: false });
  await bench.images.settled();
  expect(bench.stored().blobs).toEqual([]);
  expect(await bench.db.query('SELECT id FROM leases')).toEqual([]);
});

/** Collect one blob, where images and leases answer as told; what was removed. */
async function collected(
  blob: Digest,
  { images, roots }: { images: () => object[]; roots: () => GcRoots },
): Promise<string[]> {
  const removed: string[] = [];
  const gc = new ImageGc({
    content: {
      size: async () => 1,
      remove: async (one: string) => void removed.push(one),
      forgetIngest: async () => {},
    },
    snapshotter: {},
    store: { images, forgetLayerBlobs: async () => {} },
    leases: { onEnd: () => {}, roots: async () => roots() },
    usage: { roots: () => none, usedBy: () => [], manifestUsedBy: () => [] },
    logger: silentLogger,
  } as unknown as GcPorts);
  await gc.collect({ blobs: [blob], chains: [] });
  await gc.settled();
  return removed;
}

const none: GcRoots = { blobs: [], chains: [] };
const blob = layers[0]!.descriptor.digest;
const leased: GcRoots = { blobs: [blob], chains: [] };

test('what a lease hands over to an image while a collection looks around is held by one of them', async () => {
  let isImage = false;
  /** Between any two looks the lease ends, and the image is there. */
  const look = <T>(before: T, after: T): T => {
    const seen = isImage ? after : before;
    isImage = true;
    return seen;
  };
  const held = { ...image.descriptor, id: blob, manifests: [], extras: [] };
  const removed = await collected(blob, {
    images: () => look<object[]>([], [held]),
    roots: () => look(leased, none),
  });
  expect(removed).toEqual([]);
});

test('a lease that ends while a collection looks around keeps nothing', async () => {
  let looks = 0;
  const removed = await collected(blob, {
    images: () => [],
    roots: () => (looks++ === 0 ? leased : none),
  });
  expect(removed).toEqual([blob]);
});
