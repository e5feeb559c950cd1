import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { parseReference } from '../../oci/reference.ts';
import { CatalogClient } from '../client/catalog-client.ts';
import { copyImage } from '../client/copy-image.ts';
import { DistributionClient } from '../client/distribution-client.ts';
import { DistributionPushClient } from '../client/distribution-push-client.ts';
import { inspectRemote } from '../client/inspect-remote.ts';
import type { PushContent, PushProgress } from '../client/push-client.ts';
import { pushContent } from '../client/push-content.ts';
import type { RunningRegistry } from '../server/serve-registry.ts';
import { RegistryConnection } from '../transport/registry-connection.ts';
import { plainConfig } from './contract.ts';
import {
  blobOf,
  digestOf,
  OCI_INDEX,
  OCI_MANIFEST,
  patterned,
  type SampleBlob,
  type SampleImage,
  sampleImage,
} from './sample-image.ts';

/** What our writing clients must bring about at every registry that we push to or are: whole pushes, copies, listings. */
export function describePushContract(name: string, start: () => Promise<RunningRegistry>): void {
  describe(`push contract: ${name}`, () => {
    let registry: RunningRegistry;
    let connection: RegistryConnection;
    beforeAll(async () => {
      registry = await start();
      connection = new RegistryConnection(plainConfig);
    });
    afterAll(() => registry?.close());

    const reference = (text: string) => parseReference(`127.0.0.1:${registry.port}/${text}`);
    const signal = () => new AbortController().signal;
    const pull = () => new DistributionClient(connection);
    const push = () => new DistributionPushClient(connection);

    function contentOf(text: string, image: SampleImage, mountFrom: string[] = []): PushContent {
      const blobs = [image.config, ...image.layers].map((blob, index) => ({
        descriptor: { digest: blob.digest, size: blob.bytes.length, mediaType: 'application/octet-stream' },
        id: index === 0 ? undefined : blob.digest.slice(7, 19),
        open: (from: number) => new Blob([blob.bytes.subarray(from)]).stream(),
        mountFrom,
      }));
      return { reference: reference(text), blobs, manifests: [manifestOf(image)] };
    }
    function manifestOf({ manifest, mediaType }: SampleImage) {
      return {
        descriptor: { digest: manifest.digest, size: manifest.bytes.length, mediaType },
        bytes: manifest.bytes,
      };
    }
    async function pushed(content: PushContent): Promise<PushProgress[]> {
      const lines: PushProgress[] = [];
      const options = {
        signal: signal(),
        maxConcurrentUploads: 2,
        progress: (line: PushProgress) => void lines.push(line),
      };
      const { digest } = content.manifests.at(-1)?.descriptor ?? { digest: '' };
      expect<string>(await pushContent(push(), content, options)).toBe(digest);
      return lines;
    }
    const lastWords = (lines: PushProgress[]) => [
      ...new Map(lines.map(({ id, status }) => [id, status])).entries(),
    ];

    test('pushContent() tells in words of Docker what became of each layer; a re-push sends nothing', async () => {
      const image = sampleImage([patterned(200_000, 21), patterned(90_000, 22), 'small']);
      const ids = image.layers.map(({ digest }) => digest.slice(7, 19));
      const tail = `v1: digest: ${image.manifest.digest} size: ${image.manifest.bytes.length}`;
      const first = await pushed(contentOf('whole/a:v1', image));
      expect(first[0]).toEqual({
        status: `The push refers to repository [127.0.0.1:${registry.port}/whole/a]`,
      });
      expect(lastWords(first)).toEqual([[undefined, tail], ...ids.map((id) => [id, 'Pushed'])] as never);
      expect(first.find(({ id, status }) => id === ids[0] && status === 'Pushing')).toMatchObject({
        total: 200_000,
      });
      const second = await pushed(contentOf('whole/a:v1', image));
      expect(lastWords(second)).toEqual([
        [undefined, tail],
        ...ids.map((id) => [id, 'Layer already exists']),
      ] as never);
      const mounted = await pushed(contentOf('whole/b:v1', image, ['whole/none', 'whole/a']));
      expect(lastWords(mounted)).toEqual([
        [undefined, tail],
        ...ids.map((id) => [id, 'Mounted from whole/a']),
      ] as never);
      const { descriptor } = await pull().manifest(reference('whole/b:v1'), { signal: signal() });
      expect(descriptor.digest).toBe(image.manifest.digest);
    });

    test('pushContent() of one blob that fails leaves no tag', async () => {
      const image = sampleImage(['fine', 'broken']);
      const content = contentOf('whole/broken:v1', image);
      const blobs = content.blobs.map((blob) =>
        blob.descriptor.digest === image.layers[1]?.digest
          ? { ...blob, open: () => new Blob(['brokem']).stream() }
          : blob,
      );
      const failed = pushed({ ...content, blobs }).catch((error: unknown) => error);
      expect(await failed).toMatchObject({ kind: 'invalid' });
      const tags = await new CatalogClient(connection)
        .tags(reference('whole/broken'), { signal: signal() })
        .catch(() => []);
      expect(tags).toEqual([]);
    });

    async function pushIndex(text: string): Promise<{ index: SampleBlob; images: SampleImage[] }> {
      const images = ['amd64', 'arm64'].map((architecture) =>
        sampleImage([`layer of ${architecture}`, 'shared']),
      );
      const entries = images.map(({ manifest: { digest, bytes } }, at) => ({
        mediaType: OCI_MANIFEST,
        digest,
        size: bytes.length,
        platform: { os: 'linux', architecture: at === 0 ? 'amd64' : 'arm64' },
      }));
      const index = blobOf(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: entries }));
      const parts = images.map((image) => contentOf(text, image));
      await pushed({
        reference: reference(text),
        blobs: parts.flatMap(({ blobs }) => blobs),
        manifests: [
          ...images.map(manifestOf),
          {
            descriptor: { digest: index.digest, size: index.bytes.length, mediaType: OCI_INDEX },
            bytes: index.bytes,
          },
        ],
      });
      return { index, images };
    }
    const copyOptions = () => ({
      signal: signal(),
      credentials: { from: undefined, to: undefined },
      tlsVerify: { from: undefined, to: undefined },
      maxConcurrentUploads: 2,
    });

    test('copyImage() takes an index with all below it, or one platform of it; digests stay', async () => {
      const { index, images } = await pushIndex('copies/from:v1');
      const lines: PushProgress[] = [];
      const options = { ...copyOptions(), progress: (line: PushProgress) => void lines.push(line) };
      const clients = { source: pull(), target: push() };
      const request = { from: reference('copies/from:v1'), to: reference('copies/to') };
      expect<string>((await copyImage(request, clients, options)).digest).toBe(index.digest);
      expect(lines.some(({ status }) => status === 'Mounted from copies/from')).toBe(true);
      const copied = await pull().manifest(reference('copies/to:v1'), { signal: signal() });
      expect(copied.bytes).toEqual(index.bytes);
      const arm = {
        ...request,
        to: reference('copies/arm:one'),
        platform: { os: 'linux', architecture: 'arm64' },
      };
      expect<string>((await copyImage(arm, clients, options)).digest).toBe(images[1]?.manifest.digest ?? '');
      const layer = images[1]?.layers[0] as SampleBlob;
      const { body } = await pull().blob(reference('copies/arm'), layer.digest, { signal: signal() });
      expect(digestOf(await new Response(body).bytes())).toBe(layer.digest);
    });

    test('inspectRemote() tells descriptor and platforms', async () => {
      const { index } = await pushIndex('inspected/index:v1');
      const inspect = (text: string) => inspectRemote(pull(), reference(text), { signal: signal() });
      expect(await inspect('inspected/index:v1')).toEqual({
        descriptor: { mediaType: OCI_INDEX, digest: index.digest, size: index.bytes.length },
        platforms: [
          { os: 'linux', architecture: 'amd64' },
          { os: 'linux', architecture: 'arm64' },
        ],
      });
      const image = sampleImage(['inspected']);
      await pushed(contentOf('inspected/image:v1', image));
      expect(await inspect('inspected/image:v1')).toMatchObject({
        descriptor: { digest: image.manifest.digest },
        platforms: [{ os: 'linux', architecture: 'amd64' }],
      });
    });

    test('tags and repositories are listed', async () => {
      const image = sampleImage(['listed']);
      await pushed(contentOf('listed/app:t000', image));
      for (let number = 1; number < 25; number++)
        await push().putManifest(
          reference(`listed/app:t${String(number).padStart(3, '0')}`),
          { mediaType: image.mediaType, bytes: image.manifest.bytes },
          { signal: signal() },
        );
      const catalog = new CatalogClient(connection);
      const tags = await catalog.tags(reference('listed/app'), { signal: signal() });
      expect(tags.toSorted()).toEqual(
        Array.from({ length: 25 }, (_, at) => `t${String(at).padStart(3, '0')}`),
      );
      const domain = `127.0.0.1:${registry.port}`;
      expect(await catalog.repositories(domain, { signal: signal() })).toContain('listed/app');
    });

    test('referrers() finds a signature, be it by the API or by the tag schema', async () => {
      const image = sampleImage(['referred to']);
      const { digest } = image.manifest;
      await pushed(contentOf('referred/app:v1', image));
      const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: blobOf('{}').digest, size: 2 };
      const signature = blobOf(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: OCI_MANIFEST,
          artifactType: 'text/signature',
          config,
          layers: [],
          subject: manifestOf(image).descriptor,
        }),
      );
      await pushed({
        reference: reference('referred/app:signature'),
        blobs: [{ descriptor: config, id: undefined, open: () => new Blob(['{}']).stream() }],
        manifests: [
          {
            descriptor: { digest: signature.digest, size: signature.bytes.length, mediaType: OCI_MANIFEST },
            bytes: signature.bytes,
          },
        ],
      });
      const entry = {
        mediaType: OCI_MANIFEST,
        digest: signature.digest,
        size: signature.bytes.length,
        artifactType: 'text/signature',
      };
      const index = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry] });
      await push().putManifest(
        reference(`referred/app:${digest.replace(':', '-')}`),
        { mediaType: OCI_INDEX, bytes: new TextEncoder().encode(index) },
        { signal: signal() },
      );
      const catalog = new CatalogClient(connection);
      const subject = { repository: reference('referred/app'), digest };
      const found = await catalog.referrers(subject, { signal: signal() });
      expect(found).toMatchObject([entry] as never);
    });
  });
}
