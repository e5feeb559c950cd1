import { afterEach, beforeEach, expect, test } from 'bun:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { failureOf } from '../../test/support/failure-of.ts';
import { ImageBench } from '../../test/support/images/image-bench.ts';
import { makeImage, makeIndex, makeLayer } from '../../test/support/images/image-maker.ts';
import { file, makeTar } from '../../test/support/images/tar-maker.ts';
import { hexOf } from '../oci/digest.ts';
import { parseReference } from '../oci/reference.ts';

let bench: ImageBench;
beforeEach(async () => {
  bench = await ImageBench.start();
});
afterEach(() => bench.stop());

const layers = ['a', 'b', 'c'].map((name) => makeLayer(makeTar([file(name, name.repeat(5000))])));
const image = makeImage(layers);
const arm = makeImage(layers, { platform: { os: 'linux', architecture: 'arm64' } });
const index = makeIndex([arm, image]);
const busybox = { repository: 'docker.io/library/busybox', tag: 'latest' };
const none: ReadonlyMap<string, string[]> = new Map();

test("pull() says what Docker says, in Docker's order", async () => {
  bench.registry.add(busybox, index);
  const lines = await bench.pull('busybox');
  const ids = layers.map(({ descriptor }) => hexOf(descriptor.digest).slice(0, 12));
  expect(lines[0]).toEqual({ id: 'latest', status: 'Pulling from library/busybox' });
  expect(lines.slice(1, 4)).toEqual(ids.map((id) => ({ id, status: 'Pulling fs layer' })));
  for (const id of ids) {
    const own = lines.filter((line) => line.id === id).map(({ status }) => status);
    expect(own.filter((status, at) => status !== own[at - 1])).toEqual([
      'Pulling fs layer',
      'Downloading',
      'Verifying Checksum',
      'Download complete',
      'Extracting',
      'Pull complete',
    ]);
  }
  const completed = lines.filter(({ status }) => status === 'Pull complete');
  expect(completed.map(({ id }) => id)).toEqual(ids);
  expect(lines.slice(-2)).toEqual([
    { status: `Digest: ${index.descriptor.digest}` },
    { status: 'Status: Downloaded newer image for busybox:latest' },
  ]);
  expect(await bench.pull('busybox')).toEqual([
    { id: 'latest', status: 'Pulling from library/busybox' },
    { status: `Digest: ${index.descriptor.digest}` },
    { status: 'Status: Image is up to date for busybox:latest' },
  ]);
  const again = { repository: 'docker.io/library/again', tag: '1' };
  bench.registry.add(again, makeImage(layers, { created: '2026-05-05T00:00:00Z' }));
  expect((await bench.pull('again:1')).slice(1, 4)).toEqual(
    ids.map((id) => ({ id, status: 'Already exists' })),
  );
});

test('the layers of an image that was removed before its last container go with that', async () => {
  bench.registry.add(busybox, image);
  await bench.pull('busybox');
  const { id, chainId } = await bench.images.get('busybox');
  bench.users.set(id, [{ id: 'c'.repeat(64), running: false }]);
  bench.containerRoots = { blobs: [id], chains: chainId === undefined ? [] : [chainId] };
  await bench.images.remove('busybox', { force: true });
  await bench.images.settled();
  expect(await bench.snapshotter.layers()).toHaveLength(3);
  bench.users.clear();
  bench.containerRoots = { blobs: [], chains: [] };
  bench.images.containerGone(id);
  while ((await bench.snapshotter.layers()).length > 0) await sleep(20);
  await bench.images.settled();
  expect(bench.stored().blobs).toEqual([]);
});

test('get() finds an image by every name it has', async () => {
  bench.registry.add(busybox, index);
  await bench.pull('busybox');
  const id = index.descriptor.digest;
  for (const name of [
    'busybox',
    'busybox:latest',
    'docker.io/library/busybox',
    `busybox@${id}`,
    id,
    hexOf(id),
    hexOf(id).slice(0, 12),
    image.config.descriptor.digest,
    image.descriptor.digest,
  ]) {
    const view = await bench.images.get(name);
    expect([name, view.id]).toEqual([name, id]);
    expect(view.configDigest).toBe(image.config.descriptor.digest);
  }
  for (const name of ['nosuch', 'busybox:2', `other@${id}`])
    expect(await failureOf(bench.images.get(name))).toMatchObject({ kind: 'not-found' });
  expect(await failureOf(bench.images.get('nosuch'))).toMatchObject({
    message: 'No such image: nosuch:latest',
  });
});

test('an image survives a restart with tags, sizes and layers', async () => {
  bench.registry.add(busybox, index);
  await bench.pull('busybox');
  const before = await bench.images.get('busybox');
  await bench.restart();
  expect(await bench.images.get('busybox')).toEqual(before);
  expect(before.size).toBe(layers.reduce((sum, { tar }) => sum + tar.length, 0));
  expect(before.repoTags).toEqual(['busybox:latest']);
  expect(before.repoDigests).toEqual([`busybox@${index.descriptor.digest}`]);
});

test('history() has the newest row first, ids only there, sizes on layers', async () => {
  const made = makeImage(layers, {
    history: [
      { created_by: 'one' },
      { created_by: 'env', empty_layer: true },
      { created_by: 'two' },
      { created_by: 'three', comment: 'c' },
    ],
  });
  bench.registry.add(busybox, made);
  await bench.pull('busybox');
  const rows = await bench.images.history('busybox');
  expect(rows.map(({ id, createdBy, size, tags }) => [id, createdBy, size, tags])).toEqual([
    [made.descriptor.digest, 'three', layers[2]!.tar.length, ['busybox:latest']],
    [undefined, 'two', layers[1]!.tar.length, []],
    [undefined, 'env', 0, []],
    [undefined, 'one', layers[0]!.tar.length, []],
  ]);
});

test('remove() untags, then deletes image, blobs and layers; events tell', async () => {
  bench.registry.add(busybox, index);
  await bench.pull('busybox');
  await bench.images.tag('busybox', parseReference('foo:bar'));
  expect(await bench.images.remove('foo:bar', { force: false })).toEqual([{ untagged: 'foo:bar' }]);
  expect(await bench.images.remove('busybox', { force: false })).toEqual([
    { untagged: 'busybox:latest' },
    { deleted: index.descriptor.digest },
  ]);
  await bench.images.settled();
  expect(bench.stored()).toEqual({ blobs: [], ingests: 0 });
  expect(await bench.snapshotter.layers()).toEqual([]);
  expect(bench.images.count()).toBe(0);
  const id = index.descriptor.digest;
  expect(
    bench.events.map(({ action, actorId, attributes }) => [action, actorId, attributes['name']]),
  ).toEqual([
    ['pull', 'busybox:latest', 'busybox'],
    ['tag', id, 'foo:bar'],
    ['untag', id, id],
    ['untag', id, id],
    ['delete', id, id],
  ]);
});

test("remove() refuses in Docker's words", async () => {
  bench.registry.add(busybox, index);
  await bench.pull('busybox');
  const id = index.descriptor.digest;
  const short = hexOf(id).slice(0, 12);
  const fail = async (name: string, force = false): Promise<unknown> =>
    ((await failureOf(bench.images.remove(name, { force }))) as Error).message;
  bench.users.set(id, [{ id: '08360cc55c5e77b596a6', running: false }]);
  expect(await fail('busybox')).toBe(
    `conflict: unable to remove repository reference "busybox" (must force) - container 08360cc55c5e is using its referenced image ${short}`,
  );
  expect(await fail(id)).toBe(
    `conflict: unable to delete ${short} (must be forced) - image is being used by stopped container 08360cc55c5e`,
  );
  bench.users.set(id, [{ id: '08360cc55c5e77b596a6', running: true }]);
  expect(await fail(id, true)).toBe(
    `conflict: unable to delete ${short} (cannot be forced) - image is being used by running container 08360cc55c5e`,
  );
  bench.users.clear();
  await bench.images.tag('busybox', parseReference('other:1'));
  expect(await fail(id)).toBe(
    `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
  );
  expect(await bench.images.remove(id, { force: true })).toEqual([
    { untagged: 'busybox:latest' },
    { untagged: 'other:1' },
    { deleted: id },
  ]);
});

test('a forced removal keeps what a container stands on', async () => {
  bench.registry.add(busybox, image);
  await bench.pull('busybox');
  const view = await bench.images.get('busybox');
  bench.users.set(view.id, [{ id: 'c1', running: false }]);
  bench.containerRoots = { blobs: [view.configDigest], chains: [view.chainId!] };
  await bench.images.remove('busybox', { force: true });
  await bench.images.settled();
  expect(bench.stored().blobs).toEqual([hexOf(view.configDigest)]);
  expect((await bench.snapshotter.layers()).length).toBe(3);
  bench.containerRoots = { blobs: [], chains: [] };
  await bench.images.collectGarbage();
  expect(await bench.snapshotter.layers()).toEqual([]);
});

test('layers that another image shares stay', async () => {
  bench.registry.add(busybox, image);
  bench.registry.add({ repository: 'docker.io/library/two', tag: 'latest' }, makeImage(layers.slice(0, 2)));
  await bench.pull('busybox');
  const lines = await bench.pull('two');
  expect(lines.filter(({ status }) => status === 'Already exists').length).toBe(2);
  await bench.images.remove('busybox', { force: false });
  await bench.images.settled();
  expect((await bench.snapshotter.layers()).length).toBe(2);
  expect((await bench.images.get('two')).layers.length).toBe(2);
});

test('a newer image of the same tag leaves the old one dangling; prune() takes it', async () => {
  bench.registry.add(busybox, image);
  await bench.pull('busybox');
  bench.registry.add(busybox, makeImage(layers.slice(0, 1)));
  await bench.pull('busybox');
  const dangling = new Map([['dangling', ['true']]]);
  expect((await bench.images.list({ all: false, filters: dangling })).map(({ id }) => id)).toEqual([
    image.descriptor.digest,
  ]);
  const pruned = await bench.images.prune({ danglingOnly: true, filters: none });
  expect(pruned.deleted).toEqual([{ deleted: image.descriptor.digest }]);
  expect(pruned.reclaimedBytes).toBeGreaterThan(layers[2]!.tar.length);
  expect(bench.images.count()).toBe(1);
});

test('two platforms of one index are one image', async () => {
  bench.registry.add(busybox, index);
  await bench.pull('busybox', { platform: 'linux/amd64' });
  await bench.pull('busybox', { platform: 'linux/arm64' });
  expect(bench.images.count()).toBe(1);
  const view = await bench.images.get('busybox', { platform: { os: 'linux', architecture: 'arm64' } });
  expect(view.manifestDigest).toBe(arm.descriptor.digest);
  expect(
    await failureOf(bench.images.get('busybox', { platform: { os: 'linux', architecture: 's390x' } })),
  ).toMatchObject({ code: 'no-matching-platform' });
});

test('importTar() makes an image with the changes applied', async () => {
  const tar = makeTar([file('x', 'hi\n')]);
  const id = await bench.images.importTar(new Response(tar as Uint8Array<ArrayBuffer>).body!, {
    reference: parseReference('imp:1'),
    message: 'mymsg',
    changes: ['CMD ["sh"]', 'ENV A=b C=d', 'EXPOSE 80', 'LABEL a=b', 'VOLUME /x', 'ENTRYPOINT ls -l'],
    platform: undefined,
    signal: new AbortController().signal,
  });
  const view = await bench.images.get('imp:1');
  expect(view.id).toBe(id);
  expect(view.config.config).toMatchObject({
    cmd: ['sh'],
    entrypoint: ['/bin/sh', '-c', 'ls -l'],
    env: ['A=b', 'C=d'],
    exposedPorts: ['80/tcp'],
    labels: { a: 'b' },
    volumes: ['/x'],
  });
  expect(view.size).toBe(tar.length);
  expect((await bench.images.history('imp:1')).map(({ comment, size }) => [comment, size])).toEqual([
    ['mymsg', tar.length],
  ]);
  expect(bench.events.map(({ action, attributes }) => [action, attributes['name']])).toEqual([
    ['tag', 'imp:1'],
    ['import', id],
  ]);
  await bench.images.collectGarbage();
  expect(bench.stored().blobs.length).toBe(3);
});

test('list() shows under a reference filter only the names that match', async () => {
  bench.registry.add(busybox, index);
  await bench.pull('busybox');
  await bench.images.tag('busybox', parseReference('foo:1'));
  const [view] = await bench.images.list({ all: false, filters: new Map([['reference', ['foo']]]) });
  expect([view?.repoTags, view?.repoDigests]).toEqual([['foo:1'], [`foo@${index.descriptor.digest}`]]);
  expect(await bench.images.list({ all: false, filters: new Map([['reference', ['bar']]]) })).toEqual([]);
});

test('importTar() takes a compressed tar, and leaves nothing of a broken one', async () => {
  const layer = makeLayer(makeTar([file('x', 'x'.repeat(100_000))]));
  const options = {
    reference: undefined,
    message: '',
    changes: [],
    platform: undefined,
    signal: new AbortController().signal,
  };
  const id = await bench.images.importTar(
    new Response(layer.bytes as Uint8Array<ArrayBuffer>).body!,
    options,
  );
  expect((await bench.images.get(id)).config.diffIds).toEqual([layer.diffId]);
  const stored = bench.stored();
  const cut = layer.bytes.subarray(0, layer.bytes.length - 20) as Uint8Array<ArrayBuffer>;
  expect(await failureOf(bench.images.importTar(new Response(cut).body!, options))).toMatchObject({
    kind: 'invalid',
  });
  expect(
    await failureOf(bench.images.importTar(new Response(cut).body!, { ...options, changes: ['RUN x'] })),
  ).toMatchObject({
    message: 'RUN is not a valid change command',
  });
  expect(bench.stored()).toEqual(stored);
  expect(bench.snapshotter.stages.size).toBe(0);
});

test('importTar() ends with its client, also while it waits for bytes', async () => {
  const controller = new AbortController();
  const importing = failureOf(
    bench.images.importTar(
      new ReadableStream({ start: (stream) => stream.enqueue(makeTar([]).slice(0, 512)) }),
      {
        reference: parseReference('imp'),
        message: '',
        changes: [],
        platform: undefined,
        signal: controller.signal,
      },
    ),
  );
  await Bun.sleep(50);
  const reason = new Error('client gone');
  controller.abort(reason);
  expect(await importing).toBe(reason);
  expect(bench.stored()).toEqual({ blobs: [], ingests: 0 });
  expect(bench.snapshotter.stages.size).toBe(0);
});

test('what is held stays while its image is removed, and goes with the hold', async () => {
  bench.registry.add(busybox, index);
  await bench.pull('busybox');
  const held = await bench.images.hold('busybox');
  const { chainId } = held.image;
  await bench.images.remove('busybox', { force: true });
  await bench.images.settled();
  expect(await failureOf(bench.images.get('busybox'))).toMatchObject({ kind: 'not-found' });
  expect(await bench.snapshotter.layer(chainId!)).toBeDefined();
  await bench.images.collectGarbage();
  expect(await bench.snapshotter.layer(chainId!)).toBeDefined();
  held.release();
  await bench.images.collectGarbage();
  expect(await bench.snapshotter.layer(chainId!)).toBeUndefined();
});

test('part of a digest that several images share finds what the whole digest finds', async () => {
  bench.registry.add(busybox, index);
  bench.registry.add({ repository: 'docker.io/library/alone', tag: 'latest' }, image);
  await bench.pull('busybox');
  await bench.pull('alone');
  const { digest } = image.config.descriptor;
  const whole = await bench.images.get(digest);
  expect((await bench.images.get(digest.slice(7, 19))).id).toBe(whole.id);
  expect((await bench.images.get(digest.slice(0, 19))).configDigest).toBe(digest);
});

test("an image of which a container's image has one platform is free to go", async () => {
  bench.registry.add(busybox, index);
  bench.registry.add({ repository: 'docker.io/library/alone', tag: 'latest' }, image);
  await bench.pull('busybox');
  await bench.pull('alone');
  bench.users.set(index.descriptor.digest, [{ id: 'c1', running: true }]);
  expect(await bench.images.remove('alone', { force: false })).toEqual([
    { untagged: 'alone:latest' },
    { deleted: image.descriptor.digest },
  ]);
});

test('no tag may look like an ID', async () => {
  bench.registry.add(busybox, index);
  await bench.pull('busybox');
  const tag = bench.images.tag('busybox', parseReference('sha256:abc'));
  expect(((await failureOf(tag)) as Error).message).toBe(
    'refusing to create an ambiguous tag using digest algorithm as name',
  );
  await bench.images.tag('busybox', parseReference('sha2567:abc'));
});
