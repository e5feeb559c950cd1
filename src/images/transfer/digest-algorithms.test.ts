import { afterEach, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { failureOf } from '../../../test/support/failure-of.ts';
import { ImageBench } from '../../../test/support/images/image-bench.ts';
import {
  type MadeIndex,
  makeImage,
  makeIndex,
  makeLayer,
  noise,
} from '../../../test/support/images/image-maker.ts';
import { pushImage } from '../../../test/support/images/push-image.ts';
import { file, makeTar } from '../../../test/support/images/tar-maker.ts';
import { algorithmOf, type DigestAlgorithm, hexOf } from '../../oci/digest.ts';
import { parseReference } from '../../oci/reference.ts';
import { MemoryBlobBackend } from '../../registry/server/memory-blob-backend.ts';
import { createRegistryHandler } from '../../registry/server/registry-handler.ts';
import { type FaultyRegistry, startFaultyRegistry } from '../../registry/testing/faulty-registry.ts';

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

const name = { repository: 'library/app', tag: 'latest' };

function madeWith(algorithm: DigestAlgorithm): MadeIndex {
  const layers = [1, 2].map((seed) =>
    makeLayer(makeTar([file(`d/${seed}`, noise(700_000, seed))]), seed === 1 ? 'none' : 'gzip', algorithm),
  );
  return makeIndex([makeImage(layers, { algorithm })], [], algorithm);
}

async function start(algorithm: DigestAlgorithm) {
  const registry = await startFaultyRegistry(createRegistryHandler(new MemoryBlobBackend()));
  cleanUp.push(() => registry.close());
  const index = madeWith(algorithm);
  await pushImage(registry.url, name, index);
  return { registry, index, bench: await benchOn(registry) };
}

async function benchOn(registry: FaultyRegistry): Promise<ImageBench> {
  const bench = await ImageBench.start({ mirror: registry.url });
  cleanUp.push(() => bench.stop());
  return bench;
}

async function saved(bench: ImageBench): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await bench.images.save({ names: ['app'], platforms: [] }))
    chunks.push(chunk.slice());
  return Buffer.concat(chunks);
}

test.each<DigestAlgorithm>(['sha384', 'sha512'])(
  'an image of %s digests is pulled by tag and by digest, saved, loaded and pushed with one digest',
  async (algorithm) => {
    const { registry, index, bench } = await start(algorithm);
    const { digest } = index.descriptor;
    expect(algorithmOf(digest)).toBe(algorithm);
    expect((await bench.pull('app')).at(-2)).toEqual({ status: `Digest: ${digest}` });
    await bench.pull(`app@${digest}`);
    for (const id of ['app', digest, digest.slice(0, 30), hexOf(digest).slice(0, 12), `app@${digest}`])
      expect((await bench.images.get(id)).id).toBe(digest);
    for (const { descriptor } of [index, ...index.blobs]) {
      const path = join(bench.root, 'content/blobs', algorithm, hexOf(descriptor.digest));
      expect(existsSync(path)).toBe(true);
    }
    const archive = await saved(bench);
    expect(Buffer.from(archive).includes(`blobs/${algorithm}`)).toBe(true);

    const other = await benchOn(registry);
    await other.images.load(new Blob([archive as Uint8Array<ArrayBuffer>]).stream(), {
      platforms: [],
      quiet: true,
      signal: new AbortController().signal,
      progress: () => undefined,
    });
    expect((await other.images.get('app')).id).toBe(digest);
    const target = parseReference(`127.0.0.1:${registry.port}/copy/app:v1`);
    await other.images.tag('app', target);
    const lines: unknown[] = [];
    await other.images.push(
      { reference: target, platform: undefined, credentials: undefined },
      { signal: new AbortController().signal, progress: (line) => void lines.push(line) },
    );
    expect(lines.at(-1)).toMatchObject({ aux: { Tag: 'v1', Digest: digest } });
    const head = await fetch(`${registry.url}/v2/copy/app/manifests/v1`, { method: 'HEAD' });
    expect<string | null>(head.headers.get('docker-content-digest')).toBe(digest);
  },
);

test('bytes that are not the sha512 digest’s are refused, and nothing stays', async () => {
  const { registry, index, bench } = await start('sha512');
  const layer = index.blobs.at(-1);
  registry.fault = ({ path }) =>
    path.includes(hexOf(layer?.descriptor.digest ?? index.descriptor.digest))
      ? { kind: 'corrupt' }
      : undefined;
  expect(await failureOf(bench.pull('app'))).toMatchObject({ kind: 'invalid', code: 'digest-mismatch' });
  await bench.images.settled();
  expect(bench.images.count()).toBe(0);
});

test('a download by sha512 that was cut short goes on by Range and is hashed whole', async () => {
  const { registry, index, bench } = await start('sha512');
  const path = `/v2/library/app/blobs/${index.blobs.at(-1)?.descriptor.digest}`;
  let cuts = 1;
  registry.fault = (request) =>
    request.path === path && cuts-- > 0 ? { kind: 'cut', atByte: 300_000 } : undefined;
  await bench.pull('app');
  const ranges = registry.requests
    .filter((one) => one.path === path)
    .map(({ headers }) => headers.get('range'));
  expect(ranges.at(-1)).toMatch(/^bytes=[1-9]\d*-/);
});

test('a removed image leaves no blob, whatever its digests', async () => {
  const { bench } = await start('sha512');
  await bench.pull('app');
  await bench.images.remove('app', { force: false });
  await bench.images.settled();
  expect(bench.stored().blobs).toEqual([]);
});

test('layers whose diff ids are not sha256 are refused in one clear error', async () => {
  const { registry, bench } = await start('sha256');
  const layer = makeLayer(makeTar([file('a', 'a')]));
  const image = makeImage([layer], { diffIds: [`sha512:${'a'.repeat(128)}`] });
  await pushImage(registry.url, { repository: 'library/odd', tag: 'latest' }, image);
  expect(await failureOf(bench.pull('odd'))).toMatchObject({
    kind: 'invalid',
    message: 'Invalid image config.rootfs.diff_ids[0]: expected sha256:<64 hex digits>',
  });
});

test('an algorithm that is not known is named as such', async () => {
  const { registry, bench } = await start('sha256');
  const layer = makeLayer(makeTar([file('a', 'a')]));
  const image = makeImage([layer], {
    manifest: { layers: [{ ...layer.descriptor, digest: `blake3:${'a'.repeat(64)}` }] },
  });
  const headers = { 'content-type': image.descriptor.mediaType };
  const body = new TextDecoder().decode(image.bytes);
  registry.fault = ({ path }) =>
    path.includes('/manifests/') ? { kind: 'answer', status: 200, headers, body } : undefined;
  expect(await failureOf(bench.pull('app'))).toMatchObject({
    kind: 'invalid',
    message:
      'Invalid manifest.layers[0].digest: expected sha256:<64 hex digits>, or sha384 or sha512 with theirs',
  });
  expect(() => parseReference(`a@blake3:${'a'.repeat(64)}`)).toThrow('unsupported digest algorithm');
});
