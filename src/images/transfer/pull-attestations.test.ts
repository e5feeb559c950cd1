import { afterEach, beforeEach, expect, test } from 'bun:test';
import { ImageBench } from '../../../test/support/images/image-bench.ts';
import {
  jsonBytes,
  type MadeBlob,
  type MadeIndex,
  makeBlob,
  makeImage,
  makeIndex,
  makeLayer,
} from '../../../test/support/images/image-maker.ts';
import { pushImage } from '../../../test/support/images/push-image.ts';
import { file, makeTar } from '../../../test/support/images/tar-maker.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { MEDIA_TYPES } from '../../oci/media-types.ts';
import { parseReference } from '../../oci/reference.ts';
import { MemoryBlobBackend } from '../../registry/server/memory-blob-backend.ts';
import { createRegistryHandler } from '../../registry/server/registry-handler.ts';
import { type FaultyRegistry, startFaultyRegistry } from '../../registry/testing/faulty-registry.ts';

const image = makeImage([makeLayer(makeTar([file('a', 'a')]))]);
const arm = makeImage([makeLayer(makeTar([file('b', 'b')]))], {
  platform: { os: 'linux', architecture: 'arm64' },
});
const name = { repository: 'library/app', tag: 'latest' };

interface Attestation {
  descriptor: Descriptor;
  manifest: MadeBlob;
  blobs: MadeBlob[];
}

/** As buildx makes it. */
function attestationOf(digest: string, statement: Uint8Array): Attestation {
  const layer = makeBlob(statement, 'application/vnd.in-toto+json');
  const config = makeBlob(
    jsonBytes({
      architecture: 'unknown',
      os: 'unknown',
      config: {},
      rootfs: { type: 'layers', diff_ids: [] },
    }),
    MEDIA_TYPES.ociConfig,
  );
  const manifest = makeBlob(
    jsonBytes({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: config.descriptor,
      layers: [
        {
          ...layer.descriptor,
          annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v0.2' },
        },
      ],
    }),
    MEDIA_TYPES.ociManifest,
  );
  const annotations = {
    'vnd.docker.reference.digest': digest,
    'vnd.docker.reference.type': 'attestation-manifest',
  };
  const platform = { os: 'unknown', architecture: 'unknown' };
  const descriptor = { ...manifest.descriptor, annotations, platform };
  return { descriptor, manifest, blobs: [config, layer] };
}

const statement = jsonBytes({ _type: 'https://in-toto.io/Statement/v0.1', predicate: {} });
const provenance = attestationOf(image.descriptor.digest, statement);
const ofArm = attestationOf(arm.descriptor.digest, jsonBytes({ of: 'arm' }));

function attested(images: (typeof image)[], attestations: Attestation[]): MadeIndex {
  const index = makeIndex(
    images,
    attestations.map(({ descriptor }) => descriptor),
  );
  return {
    ...index,
    blobs: [...index.blobs, ...attestations.flatMap(({ blobs }) => blobs)],
    manifests: [...index.manifests, ...attestations.map(({ manifest }) => manifest)],
  };
}

let registry: FaultyRegistry;
let bench: ImageBench;
beforeEach(async () => {
  registry = await startFaultyRegistry(createRegistryHandler(new MemoryBlobBackend()));
  bench = await ImageBench.start({ mirror: registry.url });
});
afterEach(async () => {
  await bench.stop();
  await registry.close();
});

const isWhole = async (): Promise<boolean[]> =>
  (await bench.images.manifests('app')).map(({ available }) => available);

async function pushed(): Promise<{ root: string | null; lines: unknown[] }> {
  const target = parseReference(`127.0.0.1:${registry.port}/copy/app:v1`);
  await bench.images.tag('app', target);
  const lines: unknown[] = [];
  await bench.images.push(
    { reference: target, platform: undefined, credentials: undefined },
    { signal: new AbortController().signal, progress: (line) => void lines.push(line) },
  );
  const head = await fetch(`${registry.url}/v2/copy/app/manifests/v1`, { method: 'HEAD' });
  return { root: head.headers.get('docker-content-digest'), lines };
}

test('the attestation of the pulled platform comes with it, and the index is sent on as it is', async () => {
  const index = attested([image], [provenance]);
  await pushImage(registry.url, name, index);
  await bench.pull('app');
  expect(await bench.images.manifests('app')).toMatchObject([
    { kind: 'image', available: true },
    { kind: 'attestation', available: true, attests: image.descriptor.digest },
  ]);
  expect(await pushed()).toMatchObject({ root: index.descriptor.digest });
  const copy = await fetch(`${registry.url}/v2/copy/app/blobs/${provenance.blobs[1]?.descriptor.digest}`);
  expect(await copy.bytes()).toEqual(statement);
  await bench.restart();
  expect(await isWhole()).toEqual([true, true]);
});

test('it goes with the image, and not before', async () => {
  await pushImage(registry.url, name, attested([image], [provenance]));
  await bench.pull('app');
  const { descriptor, blobs } = provenance;
  const digests = [descriptor.digest, ...blobs.map((blob) => blob.descriptor.digest)];
  await bench.images.collect({ blobs: digests, chains: [] });
  expect(await isWhole()).toEqual([true, true]);
  await bench.images.remove('app', { force: false });
  await bench.images.settled();
  expect(bench.stored().blobs).toEqual([]);
});

test("another platform's is not fetched, and a platform that comes later brings its own", async () => {
  const index = attested([image, arm], [provenance, ofArm]);
  await pushImage(registry.url, name, index);
  await bench.pull('app', { platform: 'linux/amd64' });
  expect(await isWhole()).toEqual([true, false, true, false]);
  const read = registry.requests.filter(({ method }) => method === 'GET').map(({ path }) => path);
  expect(read.join()).toContain(provenance.descriptor.digest);
  expect(read.join()).not.toContain(ofArm.descriptor.digest);
  await bench.pull('app', { platform: 'linux/arm64' });
  expect(await isWhole()).toEqual([true, true, true, true]);
  expect(await pushed()).toMatchObject({ root: index.descriptor.digest });
});

test.each<[string, (path: string) => boolean]>([
  ['manifest', (path) => path.endsWith(provenance.descriptor.digest)],
  ['statement', (path) => path.endsWith(provenance.blobs[1]?.descriptor.digest ?? '')],
])(
  'a pull does without an attestation whose %s can’t be had, and the next one brings it',
  async (_what, isIt) => {
    await pushImage(registry.url, name, attested([image], [provenance]));
    registry.fault = ({ path }) => (isIt(path) ? { kind: 'answer', status: 404 } : undefined);
    expect((await bench.pull('app')).at(-1)).toMatchObject({
      status: expect.stringContaining('Downloaded newer'),
    });
    expect(await isWhole()).toEqual([true, false]);
    registry.fault = () => undefined;
    expect((await bench.pull('app')).at(-1)).toMatchObject({ status: expect.stringContaining('up to date') });
    expect(await isWhole()).toEqual([true, true]);
  },
);

test('a registry that keeps silent about it holds the pull up no longer than a moment', async () => {
  await pushImage(registry.url, name, attested([image], [provenance]));
  registry.fault = ({ path }) =>
    path.endsWith(provenance.descriptor.digest) ? { kind: 'silent' } : undefined;
  await bench.pull('app');
  expect(await isWhole()).toEqual([true, false]);
});

test('one that is large is left where it is', async () => {
  const large = attestationOf(image.descriptor.digest, new Uint8Array((8 << 20) + 1).fill(32));
  await pushImage(registry.url, name, attested([image], [large]));
  await bench.pull('app');
  expect(await isWhole()).toEqual([true, false]);
});
