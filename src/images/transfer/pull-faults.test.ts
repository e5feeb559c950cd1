import { afterEach, beforeEach, expect, test } from 'bun:test';
import { zstdCompressSync } from 'node:zlib';
import { failureOf } from '../../../test/support/failure-of.ts';
import { chunked } from '../../../test/support/images/fake-registry.ts';
import { ImageBench } from '../../../test/support/images/image-bench.ts';
import { makeImage, makeIndex, makeLayer, noise, sha256 } from '../../../test/support/images/image-maker.ts';
import { file, makeTar } from '../../../test/support/images/tar-maker.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { PullProgress } from '../image-backend.ts';

let bench: ImageBench;
beforeEach(async () => {
  bench = await ImageBench.start();
});
afterEach(() => bench.stop());

const name = { repository: 'docker.io/library/app', tag: 'latest' };
const big = makeLayer(makeTar([file('big', noise(2_000_000))]));
const small = makeLayer(makeTar([file('small', 'x')]));
const image = makeImage([small, big]);

/** Nothing is left of a pull but, where it may be resumed, the bytes of an ingest. */
async function expectNothing(ingests = 0): Promise<void> {
  expect(bench.images.count()).toBe(0);
  expect(bench.snapshotter.stages.size).toBe(0);
  expect(bench.stored().ingests).toBe(ingests);
  await bench.images.settled();
}

test('a layer of another digest is refused, and nothing stays', async () => {
  bench.registry.add(name, image);
  bench.registry.blobHook = ({ digest }, bytes) => {
    if (digest !== big.descriptor.digest) return undefined;
    const wrong = bytes.slice();
    wrong[1_000_000]! ^= 1;
    return chunked(wrong);
  };
  expect(await failureOf(bench.pull('app'))).toMatchObject({
    kind: 'invalid',
    code: 'digest-mismatch',
    message: `filesystem layer verification failed for digest ${big.descriptor.digest}`,
  });
  await expectNothing();
  expect(bench.stored().blobs).toEqual([]);
  bench.registry.blobHook = undefined;
  await bench.pull('app');
});

test('a refused pull leaves nothing of its other layers either, however far they had come', async () => {
  const other = makeLayer(makeTar([file('other', noise(2_000_000, 2))]));
  bench.registry.add(name, makeImage([big, other]));
  bench.registry.blobHook = ({ digest, signal }, bytes) => {
    if (digest === big.descriptor.digest) return chunked(bytes.map((byte) => byte ^ 1));
    if (digest !== other.descriptor.digest) return undefined;
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          controller.enqueue(bytes.slice(0, 1_500_000));
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
          controller.error(signal.reason);
        },
      },
      { highWaterMark: 0 },
    );
  };
  expect(await failureOf(bench.pull('app'))).toMatchObject({ code: 'digest-mismatch' });
  await bench.images.settled();
  expect(bench.stored()).toEqual({ blobs: [], ingests: 0 });
});

test('a config of another digest is refused', async () => {
  bench.registry.add(name, image);
  bench.registry.blobHook = ({ digest }, bytes) =>
    digest === image.config.descriptor.digest ? chunked(bytes.map((byte) => byte ^ 1)) : undefined;
  expect(await failureOf(bench.pull('app'))).toMatchObject({ kind: 'invalid', code: 'digest-mismatch' });
  await expectNothing();
});

test('a layer that unpacks to another DiffID is refused', async () => {
  bench.registry.add(name, makeImage([small, big], { diffIds: [small.diffId, sha256(noise(3))] }));
  expect(await failureOf(bench.pull('app'))).toMatchObject({
    kind: 'invalid',
    code: 'digest-mismatch',
    message: expect.stringContaining("layers from manifest don't match image configuration"),
  });
  await expectNothing();
});

test('layers and DiffIDs of different number are refused', async () => {
  bench.registry.add(name, makeImage([small, big], { diffIds: [small.diffId] }));
  expect(await failureOf(bench.pull('app'))).toMatchObject({
    kind: 'invalid',
    message: "layers from manifest don't match image configuration",
  });
  await expectNothing();
});

test('bytes past the declared size end the pull at once', async () => {
  bench.registry.add(name, image);
  bench.registry.blobHook = ({ digest }, bytes) => {
    if (digest !== big.descriptor.digest) return undefined;
    const endless = noise(64_000);
    let sent = 0;
    return new ReadableStream({
      pull(controller) {
        sent++;
        if (sent === 1) controller.enqueue(bytes.slice());
        else if (sent < 1000) controller.enqueue(endless.slice());
        else controller.error(new Error('read on and on'));
      },
    });
  };
  expect(await failureOf(bench.pull('app'))).toMatchObject({ kind: 'invalid', code: 'size-exceeded' });
  expect(bench.images.count()).toBe(0);
});

test('a config that says it is huge is not asked for', async () => {
  const lie = { ...image.config.descriptor, size: 2 ** 40 };
  bench.registry.add(name, makeImage([small], { manifest: { config: lie } }));
  expect(await failureOf(bench.pull('app'))).toMatchObject({ kind: 'invalid', code: 'size-exceeded' });
  expect(bench.registry.requests).toEqual([]);
});

test('a bomb is stopped long before its end', async () => {
  // Half a gigabyte of zeros in 16 KB, four times: two gigabytes, where one and a little are the limit.
  const one = zstdCompressSync(new Uint8Array(1 << 29));
  const bytes = Buffer.concat([one, one, one, one]);
  const descriptor = { ...small.descriptor, digest: sha256(bytes), size: bytes.length };
  bench.registry.add(name, makeImage([{ ...small, bytes, descriptor }]));
  expect(await failureOf(bench.pull('app'))).toMatchObject({ kind: 'invalid', code: 'size-exceeded' });
  await expectNothing();
  expect(bench.stored().blobs).toEqual([]);
}, 60_000);

test('no manifest for the platform: Docker words', async () => {
  bench.registry.add(name, makeIndex([image]));
  expect(await failureOf(bench.pull('app', { platform: 'linux/arm64' }))).toMatchObject({
    kind: 'not-found',
    code: 'no-matching-platform',
    message: 'no matching manifest for linux/arm64 in the manifest list entries',
  });
  await expectNothing();
});

test('an image of another platform without index comes with a warning', async () => {
  bench.registry.add(name, makeImage([small], { platform: { os: 'linux', architecture: 'arm64' } }));
  expect((await bench.pull('app', { platform: 'linux/amd64' })).at(-1)).toEqual({
    status:
      'WARNING: image with reference app:latest was found but its platform (linux/arm64) does not match the specified platform (linux/amd64)',
  });
});

test('Windows images and artifacts are refused', async () => {
  bench.registry.add(name, makeImage([small], { platform: { os: 'windows', architecture: 'amd64' } }));
  expect(await failureOf(bench.pull('app'))).toMatchObject({ kind: 'invalid' });
  const helm = { ...image.config.descriptor, mediaType: 'application/vnd.cncf.helm.config.v1+json' };
  bench.registry.add(name, makeImage([small], { manifest: { config: helm } }));
  expect(await failureOf(bench.pull('app'))).toMatchObject({ kind: 'invalid' });
  await expectNothing();
});

test('a connection that breaks for good keeps its bytes; a later daemon goes on by Range', async () => {
  bench.registry.add(name, image);
  const broken = new EngineError('unavailable', 'connection reset', { code: 'registry-unreachable' });
  for (const [upTo, failure, message] of [
    [600_000, broken, 'connection reset'],
    [1_500_000, undefined, expect.stringContaining('unexpected EOF')],
  ] as const) {
    bench.registry.blobHook = ({ digest, start }, bytes) =>
      digest === big.descriptor.digest ? chunked(bytes.subarray(start, upTo), failure) : undefined;
    expect(await failureOf(bench.pull('app'))).toMatchObject({ kind: 'unavailable', message });
    await expectNothing(1);
    await bench.restart();
  }
  bench.registry.blobHook = undefined;
  await bench.pull('app');
  const asked = bench.registry.requests.filter(({ digest }) => digest === big.descriptor.digest);
  expect(asked.map(({ start }) => start)).toEqual([0, 600_000, 1_500_000]);
  expect(bench.stored().ingests).toBe(0);
});

test('a server that ignores Range is read from the start, the known bytes skipped', async () => {
  bench.registry.add(name, image);
  const cut = new EngineError('unavailable', 'cut');
  let first = true;
  const blob = bench.registry.blob.bind(bench.registry);
  bench.registry.blob = async (repository, digest, options) => {
    if (digest !== big.descriptor.digest) return await blob(repository, digest, options);
    const whole = await blob(repository, digest, { ...options, start: 0 });
    if (!first) return whole;
    first = false;
    return { ...whole, body: chunked(big.bytes.subarray(0, 700_001), cut) };
  };
  await failureOf(bench.pull('app'));
  await bench.pull('app');
  expect((await bench.images.get('app')).layers[1]!.blob).toBe(big.descriptor.digest);
});

test('an aborted pull leaves no tag, no stage, no lock; its layers serve the next one', async () => {
  bench.registry.add(name, image);
  const controller = new AbortController();
  bench.registry.blobHook = ({ digest, signal }, bytes) => {
    if (digest !== big.descriptor.digest) return undefined;
    return new ReadableStream({
      start(stream) {
        stream.enqueue(bytes.slice(0, 300_000));
        signal.addEventListener('abort', () => stream.error(signal.reason));
      },
    });
  };
  const lines: PullProgress[] = [];
  const pulling = failureOf(bench.pull('app', { signal: controller.signal, lines }));
  while (!lines.some(({ status }) => status === 'Pull complete')) await Bun.sleep(2);
  while (!lines.some(({ current }) => current !== undefined && current >= 299_000)) await Bun.sleep(2);
  const reason = new Error('client gone');
  controller.abort(reason);
  expect(await pulling).toBe(reason);
  await expectNothing(1);
  expect((await bench.snapshotter.layers()).length).toBe(1);
  bench.registry.blobHook = undefined;
  bench.registry.requests.length = 0;
  const again = await bench.pull('app');
  expect(again.filter(({ status }) => status === 'Already exists').length).toBe(1);
  expect(bench.registry.requests).toEqual([{ digest: big.descriptor.digest, start: 300_000 }]);
});

test('two pulls of one layer share the download; one may leave', async () => {
  const other = makeImage([small, big], { created: '2026-07-07T00:00:00Z' });
  bench.registry.add(name, image);
  bench.registry.add({ ...name, tag: 'two' }, other);
  const gate = Promise.withResolvers<void>();
  bench.registry.blobHook = ({ digest }, bytes) => {
    if (digest !== big.descriptor.digest) return undefined;
    return new ReadableStream({
      async start(stream) {
        stream.enqueue(bytes.slice(0, 1000));
        await gate.promise;
        stream.enqueue(bytes.slice(1000));
        stream.close();
      },
    });
  };
  const controller = new AbortController();
  const leaving = failureOf(bench.pull('app', { signal: controller.signal }));
  const staying = bench.pull('app:two');
  while (bench.registry.requests.every(({ digest }) => digest !== big.descriptor.digest)) await Bun.sleep(2);
  await Bun.sleep(50);
  controller.abort(new Error('left'));
  await leaving;
  gate.resolve();
  await staying;
  const asked = bench.registry.requests.filter(({ digest }) => digest === big.descriptor.digest);
  expect(asked.length).toBe(1);
  expect(bench.images.count()).toBe(1);
});

test('one blob twice in an image is downloaded once and stands twice', async () => {
  bench.registry.add(name, makeImage([small, big, small, big]));
  await bench.pull('app');
  expect(bench.registry.requests.length).toBe(3);
  expect((await bench.snapshotter.layers()).length).toBe(4);
});

test('zstd and plain layers are taken, whatever their type says', async () => {
  const tar = makeTar([file('z', noise(100_000))]);
  const lying = makeLayer(makeTar([file('y', 'y')]), 'none');
  lying.descriptor.mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
  bench.registry.add(name, makeImage([makeLayer(tar, 'zstd'), makeLayer(tar, 'none'), lying]));
  await bench.pull('app');
  expect((await bench.images.get('app')).layers.length).toBe(3);
});

test('a crash in mid-pull leaves files that the next start removes', async () => {
  await bench.content.write(noise(100));
  const lease = await bench.images.lease({ blobs: [await bench.content.write(noise(200))], chains: [] });
  bench.bootId = 'boot-1';
  await bench.restart();
  await bench.images.collectGarbage();
  expect(bench.stored().blobs.length).toBe(1);
  bench.bootId = 'boot-2';
  await bench.restart();
  await bench.images.collectGarbage();
  expect(bench.stored().blobs).toEqual([]);
  void lease;
});

test('a lock that a lost worker holds on an ingest does not stop the next pull', async () => {
  bench.registry.add(name, image);
  const lost = await bench.content.ingest(big.descriptor.digest);
  await bench.pull('app');
  expect(bench.stored().ingests).toBe(1);
  await lost.abort();
});

test('bytes that a power cut spoiled are fetched again, in the same pull', async () => {
  bench.registry.add(name, image);
  const { digest } = big.descriptor;
  const spoiled = await bench.content.ingest(digest);
  await spoiled.write(new Uint8Array(500_000));
  await spoiled.close();
  const lines = await bench.pull('app');
  expect(lines.at(-1)?.status).toContain('Downloaded newer image');
  const asked = bench.registry.requests.filter((request) => request.digest === digest);
  expect(asked.map(({ start }) => start)).toEqual([500_000, 0]);
});

test('a stored blob that is damaged is fetched again', async () => {
  bench.registry.add(name, image);
  await bench.content.write(big.bytes);
  await Bun.write(bench.content.path(big.descriptor.digest), new Uint8Array(big.bytes.length));
  await bench.pull('app');
  expect(await bench.content.read(big.descriptor.digest, { maxBytes: 1 << 30 })).toEqual(
    Buffer.from(big.bytes),
  );
});
