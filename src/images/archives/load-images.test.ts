import { afterEach, beforeEach, expect, test } from 'bun:test';
import { failureOf } from '../../../test/support/failure-of.ts';
import { ImageBench } from '../../../test/support/images/image-bench.ts';
import {
  jsonBytes,
  makeBlob,
  makeImage,
  makeIndex,
  makeLayer,
} from '../../../test/support/images/image-maker.ts';
import { directory, file, makeTar, symlink, type TarMember } from '../../../test/support/images/tar-maker.ts';
import { MEDIA_TYPES } from '../../oci/media-types.ts';
import { parsePlatform } from '../../oci/platform.ts';
import type { TransferLine } from '../image-backend.ts';

let bench: ImageBench;
beforeEach(async () => {
  bench = await ImageBench.start();
});
afterEach(() => bench.stop());

const layers = ['a', 'b'].map((name) => makeLayer(makeTar([file(name, name.repeat(3000))])));
const image = makeImage(layers);
const arm = makeImage(layers.slice(0, 1), { platform: { os: 'linux', architecture: 'arm64' } });
const index = makeIndex([image, arm]);

const blobMember = ({ descriptor, bytes }: { descriptor: { digest: string }; bytes: Uint8Array }) =>
  file(`blobs/sha256/${descriptor.digest.slice(7)}`, bytes);
const layoutMember = file('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
const indexMember = (entries: object[]) =>
  file('index.json', jsonBytes({ schemaVersion: 2, manifests: entries }));
const named = (descriptor: object, name?: string) => ({
  ...descriptor,
  ...(name === undefined ? {} : { annotations: { 'io.containerd.image.name': name } }),
});
const all = [image, ...image.blobs].map(blobMember);

async function load(
  archive: Uint8Array | TarMember[],
  options: { platforms?: string[]; quiet?: boolean } = {},
): Promise<TransferLine[]> {
  const lines: TransferLine[] = [];
  const bytes = archive instanceof Uint8Array ? archive : makeTar(archive);
  await bench.images.load(new Blob([bytes.slice()]).stream(), {
    platforms: (options.platforms ?? []).map(parsePlatform),
    quiet: options.quiet ?? true,
    signal: new AbortController().signal,
    progress: (line) => void lines.push(line),
  });
  return lines;
}

async function refused(archive: Uint8Array | TarMember[], options?: { platforms?: string[] }) {
  const error = await failureOf(load(archive, options));
  await bench.images.settled();
  expect(bench.stored()).toEqual({ blobs: [], ingests: 0 });
  expect(bench.images.count()).toBe(0);
  return error;
}

test('an OCI layout, its parts in any order, named, unnamed, and named by no name', async () => {
  const entry = image.descriptor;
  expect(
    await load([
      ...all,
      indexMember([named(entry, 'docker.io/library/app:1'), named(entry, 'app:2')]),
      layoutMember,
    ]),
  ).toEqual([{ stream: 'Loaded image: app:1\n' }, { stream: 'Loaded image: app:2\n' }]);
  expect((await bench.images.get('app:2')).id).toBe(entry.digest);
  for (const name of [undefined, 'Not A Name'])
    expect(await load([layoutMember, indexMember([named(entry, name)]), ...all])).toEqual([
      { stream: `Loaded image ID: ${entry.digest}\n` },
    ]);
  expect(bench.events.filter(({ action }) => action === 'load').map(({ actorId }) => actorId)).toEqual(
    Array.from({ length: 3 }, () => entry.digest),
  );
});

test('what is loaded and was not asked for quietly tells its layers', async () => {
  const lines = await load([layoutMember, indexMember([named(image.descriptor, 'app')]), ...all], {
    quiet: false,
  });
  for (const { diffId, descriptor } of layers)
    expect(lines.filter((line) => 'id' in line && line.id === diffId.slice(7, 19)).at(-1)).toEqual({
      id: diffId.slice(7, 19),
      status: 'Loading layer',
      current: descriptor.size,
      total: descriptor.size,
    });
});

test('several platforms side by side, one by request, attestations kept; save gives the same again', async () => {
  const statement = makeBlob(jsonBytes({ _type: 'x' }), 'application/vnd.in-toto+json');
  const attestation = makeImage([], {
    platform: { os: 'unknown', architecture: 'unknown' },
    manifest: { layers: [statement.descriptor] },
  });
  const attested = makeIndex(
    [image, arm],
    [
      {
        ...attestation.descriptor,
        annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
      },
    ],
  );
  const parts = [
    attested,
    image,
    arm,
    attestation,
    ...image.blobs,
    ...arm.blobs,
    ...attestation.blobs,
    statement,
  ];
  const members = [layoutMember, indexMember([named(attested.descriptor, 'app')]), ...parts.map(blobMember)];
  await load(members);
  expect((await bench.images.get('app', { platform: parsePlatform('linux/arm64') })).manifestDigest).toBe(
    arm.descriptor.digest,
  );
  await bench.restart();
  await bench.images.collectGarbage();
  const blobs = new Set(parts.map(({ descriptor }) => descriptor.digest.slice(7)));
  expect(new Set(bench.stored().blobs)).toEqual(blobs);
  const saved = await bytesOf(await bench.images.save({ names: ['app'], platforms: [] }));
  await bench.images.remove('app', { force: false });
  await bench.images.settled();
  expect(bench.stored().blobs).toEqual([]);
  await load(saved);
  expect(new Set(bench.stored().blobs)).toEqual(blobs);
  await bench.images.remove('app', { force: false });
  await load(saved, { platforms: ['linux/arm64'] });
  expect((await bench.images.get('app')).platform.architecture).toBe('arm64');
});

test('manifests() tells each of an index, here or not; remove() of a platform leaves the others', async () => {
  const archive = [layoutMember, indexMember([named(index.descriptor, 'app')]), blobMember(index), ...all];
  await load(archive);
  const contentBytes = image.bytes.length + image.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const unpackedBytes = layers.reduce((sum, { tar }) => sum + tar.length, 0);
  bench.users.set(image.descriptor.digest, [{ id: 'c1', running: false }]);
  const here = {
    descriptor: image.descriptor,
    available: true,
    contentBytes,
    kind: 'image',
    platform: { os: 'linux', architecture: 'amd64' },
    unpackedBytes,
    containers: ['c1'],
    attests: undefined,
  };
  const absent = { descriptor: arm.descriptor, available: false, contentBytes: 0, unpackedBytes: 0 };
  expect(await bench.images.manifests('app')).toEqual([here, expect.objectContaining(absent)] as never);
  await load([...archive, ...[arm, ...arm.blobs].map(blobMember)]);
  expect((await bench.images.manifests('app')).map(({ available }) => available)).toEqual([true, true]);
  const remove = (platform: string, force = true) =>
    bench.images.remove('app', { force, platforms: [parsePlatform(platform)] });
  expect(await failureOf(remove('linux/amd64', false))).toMatchObject({ kind: 'invalid' });
  expect(await failureOf(remove('linux/s390x'))).toMatchObject({ kind: 'not-found' });
  bench.users.set(image.descriptor.digest, [{ id: 'c1', running: true }]);
  expect(await failureOf(remove('linux/amd64'))).toMatchObject({ code: 'image-in-use' });
  bench.users.clear();
  expect(await remove('linux/amd64')).toEqual([{ deleted: image.descriptor.digest }]);
  await bench.images.settled();
  expect((await bench.images.get('app')).platform.architecture).toBe('arm64');
  await bench.restart();
  expect((await bench.images.manifests('app')).map(({ available }) => available)).toEqual([false, true]);
  expect(await remove('linux/arm64')).toEqual([
    { untagged: 'app:latest' },
    { deleted: index.descriptor.digest },
  ]);
  await bench.images.settled();
  expect(bench.stored().blobs).toEqual([]);
});

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test('save and load of a platform that is not there name it', async () => {
  const archive = [layoutMember, indexMember([named(index.descriptor, 'app')]), blobMember(index), ...all];
  expect(await refused(archive, { platforms: ['linux/s390x'] })).toMatchObject({
    kind: 'not-found',
    code: 'no-matching-platform',
    message: expect.stringContaining('linux/s390x'),
  });
  await load(archive);
  expect(
    await failureOf(bench.images.save({ names: ['app'], platforms: [parsePlatform('linux/arm64')] })),
  ).toMatchObject({ kind: 'not-found', message: expect.stringContaining('linux/arm64') });
});

test('a missing, a lying and an incomplete part are refused, and nothing stays', async () => {
  const head = [layoutMember, indexMember([named(image.descriptor, 'app')])];
  expect(await refused([...head, ...all.slice(0, -1)])).toMatchObject({ kind: 'not-found' });
  expect(await refused([...head, ...all.slice(1)])).toMatchObject({ kind: 'not-found' });
  const lie = { ...all[1]!, content: 'not this' };
  expect(await refused([...head, all[0]!, lie, ...all.slice(2)])).toMatchObject({ code: 'digest-mismatch' });
  const whole = makeTar([...head, ...all]);
  for (const at of [100, 700, 2000, whole.length - 3000])
    expect(await refused(whole.subarray(0, at))).toMatchObject({
      kind: expect.stringMatching(/^(invalid|not-found)$/),
    });
  const gzip = Bun.gzipSync(whole.slice());
  expect(await refused(gzip.subarray(0, gzip.length - 20))).toMatchObject({ code: 'archive-truncated' });
  const swapped = makeImage(layers, { diffIds: [layers[1]!.diffId, layers[0]!.diffId] });
  const swappedParts = [swapped, ...swapped.blobs].map(blobMember);
  expect(
    await refused([layoutMember, indexMember([named(swapped.descriptor, 'app')]), ...swappedParts]),
  ).toMatchObject({ code: 'digest-mismatch' });
});

test('hostile members: paths that climb out, links in a circle, devices', async () => {
  expect(await refused([file('../../etc/passwd', 'x')])).toMatchObject({ code: 'archive-hostile' });
  const manifest = (entry: object) => file('manifest.json', jsonBytes([entry]));
  const config = file(`${image.config.descriptor.digest.slice(7)}.json`, image.config.bytes);
  const legacy = (layer: string, ...members: TarMember[]) => [
    config,
    manifest({ Config: config.name, RepoTags: ['x:1'], Layers: [layer, layer] }),
    ...members,
  ];
  expect(await refused(legacy('l', symlink('l', 'm'), symlink('m', 'l')))).toMatchObject({
    kind: 'not-found',
  });
  expect(await refused(legacy('l', symlink('l', '/etc/passwd')))).toMatchObject({ kind: 'not-found' });
  expect(await refused(legacy('l', symlink('l', '../../../etc/passwd')))).toMatchObject({
    kind: 'not-found',
  });
  expect(await refused(legacy('../l'))).toMatchObject({ code: 'archive-hostile' });
  expect(await refused(legacy('l', { name: 'l', type: '3', major: 1, minor: 3 }))).toMatchObject({
    kind: 'not-found',
  });
  expect(await refused(legacy('d', directory('d')))).toMatchObject({ kind: 'not-found' });
  expect(
    await refused([config, manifest({ Config: config.name, RepoTags: ['Not Valid'], Layers: [] })]),
  ).toMatchObject({ kind: 'invalid' });
});

test('images that name one layer a million times are refused', async () => {
  const config = file('c', image.config.bytes);
  const entry = { Config: 'c', RepoTags: null, Layers: Array.from({ length: 1024 }, () => 'l') };
  const manifest = file('manifest.json', jsonBytes(Array.from({ length: 200 }, () => entry)));
  expect(await refused([config, file('l', '{}'), manifest])).toMatchObject({
    message: 'Cannot load archive: its images have more than 131072 layers',
  });
});

test('documents of the wrong shape are refused by field', async () => {
  const layout = (content: string) => [layoutMember, file('index.json', content), ...all];
  for (const content of ['', '[]', '{', '{"schemaVersion":1}', '{"schemaVersion":2,"manifests":{}}'])
    expect(await refused(layout(content))).toMatchObject({ kind: 'invalid' });
  expect(await refused([file('oci-layout', '{"imageLayoutVersion":"9"}'), ...all])).toMatchObject({
    kind: 'invalid',
  });
  expect(await refused([layoutMember, ...all])).toMatchObject({ kind: 'not-found' });
  for (const content of ['{}', '[1]', '[{"Config":1}]', '[{"Config":"c","Layers":"l"}]'])
    expect(await refused([file('manifest.json', content)])).toMatchObject({ kind: 'invalid' });
  expect(await refused([file('x', 'y')])).toMatchObject({ message: 'unrecognized image format' });
  expect(await refused(new Uint8Array())).toMatchObject({ message: 'unrecognized image format' });
  expect(await refused([file('repositories', '{"r":{"t":"../x"}}')])).toMatchObject({ kind: 'invalid' });
  const id = 'a'.repeat(64);
  const loop = [
    file('repositories', JSON.stringify({ r: { t: id } })),
    file(`${id}/json`, JSON.stringify({ parent: id })),
  ];
  expect(await refused(loop)).toMatchObject({ kind: 'invalid' });
});

test('a legacy archive gets the manifest that containerd makes of it', async () => {
  const plain = makeImage(layers.map(({ tar }) => makeLayer(tar, 'none')));
  const config = file(`${plain.config.descriptor.digest.slice(7)}.json`, plain.config.bytes);
  await load([
    file('1/layer.tar', layers[0]!.tar),
    symlink('2/layer.tar', '../real.tar'),
    file('real.tar', layers[1]!.tar),
    config,
    file(
      'manifest.json',
      jsonBytes([{ Config: config.name, RepoTags: null, Layers: ['1/layer.tar', './2/layer.tar'] }]),
    ),
  ]);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.dockerManifest,
    config: {
      mediaType: MEDIA_TYPES.dockerConfig,
      digest: plain.config.descriptor.digest,
      size: plain.config.bytes.length,
    },
    layers: layers.map(({ diffId, tar }) => ({
      mediaType: MEDIA_TYPES.dockerLayer,
      digest: diffId,
      size: tar.length,
    })),
  });
  const { digest } = makeBlob(new TextEncoder().encode(manifest), '').descriptor;
  expect((await bench.images.get(digest)).id).toBe(digest);
});

test("a name by a digest is taken from an archive where the digest is the image's own", async () => {
  const own = image.descriptor.digest;
  const other = `sha256:${'b'.repeat(64)}`;
  await load([
    layoutMember,
    indexMember([named(image.descriptor, `docker.io/library/app@${other}`)]),
    ...all,
  ]);
  expect((await bench.images.get(own)).repoDigests).toEqual([]);
  await load([layoutMember, indexMember([named(image.descriptor, `docker.io/library/app@${own}`)]), ...all]);
  expect((await bench.images.get(own)).repoDigests).toEqual([`app@${own}`]);
});
