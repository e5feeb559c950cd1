import { afterEach, expect, test } from 'bun:test';
import { failureOf } from '../../../test/support/failure-of.ts';
import { ImageBench } from '../../../test/support/images/image-bench.ts';
import { makeImage, makeIndex, makeLayer, noise } from '../../../test/support/images/image-maker.ts';
import { pushImage } from '../../../test/support/images/push-image.ts';
import { directory, file, makeTar } from '../../../test/support/images/tar-maker.ts';
import { silentLogger } from '../../errors/logger.ts';
import { MemoryBlobBackend } from '../../registry/server/memory-blob-backend.ts';
import { createRegistryHandler } from '../../registry/server/registry-handler.ts';
import { warnOnce } from '../../registry/sources/warn-once.ts';
import { type FaultyRegistry, startFaultyRegistry } from '../../registry/testing/faulty-registry.ts';
import { hasDockerRegistry, startDockerRegistry } from '../../registry/testing/running-registry.ts';
import { blobOf, OCI_INDEX, type SampleBlob } from '../../registry/testing/sample-image.ts';

const layers = [1, 2].map((seed) =>
  makeLayer(makeTar([directory('d'), file(`d/${seed}`, noise(3_000_000, seed))])),
);
const image = makeImage(layers);
const arm = makeImage(layers.slice(0, 1), {
  platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
});
const index = makeIndex([arm, image]);
const name = { repository: 'library/app', tag: 'latest' };
const blobPath = `/v2/library/app/blobs/${layers[1]!.descriptor.digest}`;

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

async function benchOn(url: string): Promise<ImageBench> {
  const bench = await ImageBench.start({ mirror: url });
  cleanUp.push(() => bench.stop());
  return bench;
}

async function startMirror(): Promise<FaultyRegistry> {
  const registry = await startFaultyRegistry(createRegistryHandler(new MemoryBlobBackend()));
  cleanUp.push(() => registry.close());
  await pushImage(registry.url, name, index);
  return registry;
}

async function faulty(): Promise<{ registry: FaultyRegistry; bench: ImageBench }> {
  const registry = await startMirror();
  return { registry, bench: await benchOn(registry.url) };
}

test.skipIf(!hasDockerRegistry())(
  "an index from Debian's docker-registry, as a mirror of docker.io",
  async () => {
    const registry = await startDockerRegistry();
    cleanUp.push(() => registry.close());
    await pushImage(registry.url, name, index);
    const bench = await benchOn(registry.url);
    const lines = await bench.pull('app');
    expect(lines.at(-1)).toEqual({ status: 'Status: Downloaded newer image for app:latest' });
    expect(lines.at(-2)).toEqual({ status: `Digest: ${index.descriptor.digest}` });
    expect((await bench.images.get('app')).layers.map(({ diffId }) => diffId)).toEqual(
      layers.map(({ diffId }) => diffId),
    );
    expect(await failureOf(bench.pull('app', { platform: 'linux/s390x' }))).toMatchObject({
      message: 'no matching manifest for linux/s390x in the manifest list entries',
    });
    expect(await bench.pull(`app@${index.descriptor.digest}`)).toEqual([
      { id: `docker.io/library/app@${index.descriptor.digest}`, status: 'Pulling from library/app' },
      { status: `Digest: ${index.descriptor.digest}` },
      { status: `Status: Downloaded newer image for app@${index.descriptor.digest}` },
    ]);
  },
);

test('a cut connection goes on by Range in the same pull', async () => {
  const { registry, bench } = await faulty();
  let cuts = 1;
  registry.fault = ({ path }) =>
    path === blobPath && cuts-- > 0 ? { kind: 'cut', atByte: 1_000_000 } : undefined;
  await bench.pull('app');
  const ranges = registry.requests
    .filter(({ path }) => path === blobPath)
    .map(({ headers }) => headers.get('range'));
  expect(ranges.length).toBe(2);
  expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-/);
});

test.each<[string, (path: string) => boolean]>([
  ['a layer', (path) => path === blobPath],
  ['every blob', (path) => path.includes('/blobs/')],
  ['the manifest', (path) => path === `/v2/library/app/manifests/${image.descriptor.digest}`],
])(
  'a mirror with a wrong byte in %s is left behind with one warning, the next brings it',
  async (_what, isWrong) => {
    const [bad, good] = [await startMirror(), await startMirror()];
    bad.fault = ({ path }) => (isWrong(path) ? { kind: 'corrupt' } : undefined);
    const warned: unknown[] = [];
    const logger = warnOnce(
      { ...silentLogger, warn: (message, fields) => void warned.push([message, fields?.['mirror']]) },
      60_000,
    );
    const bench = await ImageBench.start({ mirror: bad.url, secondMirror: good.url, logger });
    cleanUp.push(() => bench.stop());
    expect((await bench.pull('app')).at(-1)).toEqual({
      status: 'Status: Downloaded newer image for app:latest',
    });
    expect((await bench.images.get('app')).layers.map(({ blob }) => blob)).toEqual(
      layers.map(({ descriptor }) => descriptor.digest),
    );
    expect(bench.stored().ingests).toBe(0);
    expect(warned).toEqual([
      [expect.stringMatching(/^mirror (failed|sent wrong bytes), asking the next source$/), bad.url],
    ]);
  },
);

test('an index that refers to itself, and indexes without end, are one error each', async () => {
  const { registry, bench } = await faulty();
  const platform = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' };
  const indexOf = (digest: string, size: number) =>
    blobOf(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [{ mediaType: OCI_INDEX, digest, size, platform }],
      }),
    );
  const served = new Map<string, SampleBlob>();
  registry.fault = ({ path }) => {
    const found = served.get(path.split('/').at(-1) ?? '');
    if (found === undefined) return undefined;
    const body = new TextDecoder().decode(found.bytes);
    return { kind: 'answer', status: 200, headers: { 'content-type': OCI_INDEX }, body };
  };
  // No document holds its own digest: one that claims to is found out by its child.
  const claimed = blobOf('itself').digest;
  const self = indexOf(claimed, 1);
  served.set('latest', self).set(claimed, self);
  expect(await failureOf(bench.pull('app'))).toBeInstanceOf(Error);
  let level = indexOf(image.descriptor.digest, image.descriptor.size);
  for (let depth = 0; depth < 5; depth++) {
    served.set(level.digest, level);
    level = indexOf(level.digest, level.bytes.length);
  }
  served.set('latest', level);
  expect(await failureOf(bench.pull('app'))).toMatchObject({
    message: 'Invalid index: indexes are nested too deep',
  });
  expect(bench.images.count()).toBe(0);
});

test('a corrupt blob and a corrupt manifest are refused; the next pull of an honest registry works', async () => {
  const { registry, bench } = await faulty();
  for (const wrong of [blobPath, `/v2/library/app/manifests/${image.descriptor.digest}`]) {
    registry.fault = ({ path }) => (path === wrong ? { kind: 'corrupt' } : undefined);
    expect(await failureOf(bench.pull('app'))).toBeInstanceOf(Error);
    await bench.images.settled();
    expect(bench.images.count()).toBe(0);
    expect(bench.stored()).toEqual({ blobs: [], ingests: 0 });
  }
  registry.fault = () => undefined;
  await bench.pull('app');
});
