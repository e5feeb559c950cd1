import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { parseReference } from '../../oci/reference.ts';
import { DistributionClient } from '../client/distribution-client.ts';
import { DistributionPushClient } from '../client/distribution-push-client.ts';
import type { RegistryConfig } from '../client/registry-client.ts';
import type { RunningRegistry } from '../server/serve-registry.ts';
import {
  blobOf,
  DOCKER_MANIFEST,
  digestOf,
  OCI_INDEX,
  OCI_MANIFEST,
  patterned,
  type SampleBlob,
  type SampleImage,
  sampleImage,
} from './sample-image.ts';

export const plainConfig: RegistryConfig = {
  mirrors: [],
  insecure: [],
  registries: {},
  certsDirectories: [],
  userAgent: 'sampan-test',
  proxy: {},
};

/** What every distribution registry must do that we push to, pull from or are. Raw requests first, then our clients. */
export function describeRegistryContract(name: string, start: () => Promise<RunningRegistry>): void {
  describe(`registry contract: ${name}`, () => {
    let registry: RunningRegistry;
    const at = (path: string) => `${registry.url}/v2/${path}`;
    const call = (path: string, init: RequestInit = {}) =>
      fetch(path.startsWith('http') ? path : at(path), { ...init, redirect: 'manual' });

    beforeAll(async () => {
      registry = await start();
    });
    afterAll(() => registry?.close());

    async function begin(repository: string): Promise<string> {
      const response = await call(`${repository}/blobs/uploads/`, { method: 'POST' });
      expect(response.status).toBe(202);
      return location(response);
    }
    function location(response: Response): string {
      return new URL(response.headers.get('location') ?? '', registry.url).href;
    }
    function withDigest(session: string, digest: string): string {
      const url = new URL(session);
      url.searchParams.set('digest', digest);
      return url.href;
    }
    async function put(repository: string, blob: SampleBlob): Promise<Response> {
      return call(withDigest(await begin(repository), blob.digest), { method: 'PUT', body: blob.bytes });
    }
    async function putImage(repository: string, tag: string, image: SampleImage): Promise<Response> {
      for (const blob of [image.config, ...image.layers])
        expect((await put(repository, blob)).status).toBe(201);
      return putManifest(`${repository}/manifests/${tag}`, image.manifest, image.mediaType);
    }
    function putManifest(path: string, manifest: SampleBlob, mediaType: string): Promise<Response> {
      return call(path, { method: 'PUT', body: manifest.bytes, headers: { 'content-type': mediaType } });
    }
    async function codeOf(response: Response): Promise<string> {
      const body = (await response.json()) as { errors: { code: string }[] };
      return body.errors[0]?.code ?? '';
    }
    const range = (value: string) => ({ headers: { range: value } });

    test('says that it speaks version 2', async () => {
      const response = await call('');
      expect(response.status).toBe(200);
      expect(response.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
    });

    test('takes a blob in one piece and gives back the same bytes', async () => {
      const blob = blobOf(patterned(300_000));
      const created = await put('one/piece', blob);
      expect(created.status).toBe(201);
      expect(created.headers.get('docker-content-digest')).toBe(blob.digest);
      const response = await call(`one/piece/blobs/${blob.digest}`);
      expect(response.headers.get('content-length')).toBe('300000');
      expect(response.headers.get('docker-content-digest')).toBe(blob.digest);
      expect(digestOf(await response.bytes())).toBe(blob.digest);
      const head = await call(`one/piece/blobs/${blob.digest}`, { method: 'HEAD' });
      expect([head.status, head.headers.get('content-length')]).toEqual([200, '300000']);
    });

    test('takes a blob by its sha512, in one piece and in two, and refuses other bytes', async () => {
      const blob = blobOf(patterned(300_000, 5), 'sha512');
      expect((await put('sha512', blob)).status).toBe(201);
      const response = await call(`sha512/blobs/${blob.digest}`);
      expect(await response.bytes()).toEqual(blob.bytes);
      const next = blobOf(patterned(2000, 6), 'sha512');
      const headers = { 'content-range': '0-799', 'content-type': 'application/octet-stream' };
      const piece = { method: 'PATCH', body: next.bytes.slice(0, 800), headers };
      const rest = location(await call(await begin('sha512'), piece));
      const done = await call(withDigest(rest, next.digest), { method: 'PUT', body: next.bytes.slice(800) });
      expect(done.status).toBe(201);
      const wrong = await put('sha512', { bytes: next.bytes, digest: blobOf('other', 'sha512').digest });
      expect([wrong.status, await codeOf(wrong)]).toEqual([400, 'DIGEST_INVALID']);
    });

    test('takes the empty blob', async () => {
      expect((await put('empty', blobOf(''))).status).toBe(201);
      const response = await call(`empty/blobs/${blobOf('').digest}`);
      expect([response.status, (await response.bytes()).length]).toEqual([200, 0]);
    });

    test.each([
      ['bytes=0-9', 'bytes 0-9/1000', 0, 10],
      ['bytes=990-', 'bytes 990-999/1000', 990, 1000],
      ['bytes=-10', 'bytes 990-999/1000', 990, 1000],
      ['bytes=500-5000', 'bytes 500-999/1000', 500, 1000],
    ])('serves the range %s', async (asked, told, from, to) => {
      const blob = blobOf(patterned(1000));
      await put('ranges', blob);
      const response = await call(`ranges/blobs/${blob.digest}`, range(asked));
      expect([response.status, response.headers.get('content-range')]).toEqual([206, told]);
      expect(await response.bytes()).toEqual(blob.bytes.slice(from, to));
    });

    test.each(['bytes=1000-', 'bytes=5000-10000', 'bytes=500-0'])('refuses the range %s', async (asked) => {
      const blob = blobOf(patterned(1000));
      await put('ranges', blob);
      expect((await call(`ranges/blobs/${blob.digest}`, range(asked))).status).toBe(416);
    });

    test('takes a blob in pieces and tells where it stands', async () => {
      const blob = blobOf(patterned(2000));
      const patch = (url: string, from: number, to: number) =>
        call(url, {
          method: 'PATCH',
          body: blob.bytes.slice(from, to),
          headers: { 'content-range': `${from}-${to - 1}`, 'content-type': 'application/octet-stream' },
        });
      const first = await patch(await begin('pieces'), 0, 800);
      expect([first.status, first.headers.get('range')]).toEqual([202, '0-799']);
      const standing = await call(location(first));
      expect([standing.status, standing.headers.get('range')]).toEqual([204, '0-799']);
      const second = await patch(location(first), 800, 2000);
      expect(second.status).toBe(202);
      const done = await call(withDigest(location(second), blob.digest), { method: 'PUT' });
      expect(done.status).toBe(201);
      expect(digestOf(await (await call(`pieces/blobs/${blob.digest}`)).bytes())).toBe(blob.digest);
    });

    test('refuses a blob with another digest and keeps nothing', async () => {
      const wanted = blobOf('what was promised').digest;
      const response = await call(withDigest(await begin('lies'), wanted), {
        method: 'PUT',
        body: 'other bytes',
      });
      expect([response.status, await codeOf(response)]).toEqual([400, 'DIGEST_INVALID']);
      expect((await call(`lies/blobs/${wanted}`)).status).toBe(404);
    });

    test('takes a stream in one PATCH, and the last chunk with the PUT', async () => {
      const blob = blobOf(patterned(3000));
      const streamed = await call(await begin('stream'), { method: 'PATCH', body: blob.bytes });
      expect([streamed.status, streamed.headers.get('range')]).toEqual([202, '0-2999']);
      expect(streamed.headers.get('docker-upload-uuid')).toMatch(/^[0-9a-f-]{36}$/);
      const done = await call(withDigest(location(streamed), blob.digest), { method: 'PUT' });
      expect(done.status).toBe(201);
      expect(digestOf(await (await call(location(done))).bytes())).toBe(blob.digest);
      const first = await call(await begin('stream'), { method: 'PATCH', body: blob.bytes.slice(0, 1000) });
      const last = await call(withDigest(location(first), blob.digest), {
        method: 'PUT',
        body: blob.bytes.slice(1000),
      });
      expect([last.status, last.headers.get('docker-content-digest')]).toEqual([201, blob.digest]);
      expect(digestOf(await (await call(location(last))).bytes())).toBe(blob.digest);
    });

    test('refuses an upload without a digest, or with none', async () => {
      for (const query of [
        '',
        '?digest=',
        '?digest=sha256:abc',
        '?digest=md5:d41d8cd98f00b204e9800998ecf8427e',
      ]) {
        const url = new URL(await begin('undigested'));
        new URLSearchParams(query).forEach((value, name) => url.searchParams.set(name, value));
        const response = await call(url.href, { method: 'PUT', body: 'x' });
        expect([response.status, await codeOf(response)], query).toEqual([400, 'DIGEST_INVALID']);
      }
    });

    test('a second PUT of one upload finds none', async () => {
      const blob = blobOf('put twice');
      const session = withDigest(await begin('twice'), blob.digest);
      expect((await call(session, { method: 'PUT', body: blob.bytes })).status).toBe(201);
      expect((await call(session, { method: 'PUT', body: blob.bytes })).status).toBe(404);
      expect((await call(session, { method: 'PATCH', body: blob.bytes })).status).toBe(404);
    });

    test('forgets a cancelled upload', async () => {
      const session = await begin('cancelled');
      expect((await call(session, { method: 'DELETE' })).status).toBe(204);
      const response = await call(session);
      expect([response.status, await codeOf(response)]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
    });

    test('mounts a blob from another repository, or starts an upload', async () => {
      const blob = blobOf('to be shared');
      await put('mount/source', blob);
      const mount = (digest: string, from: string) =>
        call(`mount/target/blobs/uploads/?mount=${digest}&from=${from}`, { method: 'POST' });
      expect((await mount(blob.digest, 'mount/source')).status).toBe(201);
      expect((await call(`mount/target/blobs/${blob.digest}`)).status).toBe(200);
      expect((await mount(blobOf('nowhere').digest, 'mount/source')).status).toBe(202);
      expect((await mount(blobOf('x').digest, 'no/such')).status).toBe(202);
    });

    test('a blob of one repository is none of another', async () => {
      const blob = blobOf('private');
      await put('private/a', blob);
      expect((await call(`private/b/blobs/${blob.digest}`)).status).toBe(404);
    });

    test.each([OCI_MANIFEST, DOCKER_MANIFEST])('keeps a manifest byte for byte: %s', async (mediaType) => {
      const image = sampleImage(['layer one', 'layer two'], mediaType);
      const created = await putImage('exact', 'v1', image);
      expect(created.status).toBe(201);
      expect(created.headers.get('docker-content-digest')).toBe(image.manifest.digest);
      for (const reference of ['v1', image.manifest.digest]) {
        const response = await call(`exact/manifests/${reference}`, { headers: { accept: mediaType } });
        expect([response.status, response.headers.get('content-type')]).toEqual([200, mediaType]);
        expect(response.headers.get('docker-content-digest')).toBe(image.manifest.digest);
        expect(await response.bytes()).toEqual(image.manifest.bytes);
        const head = await call(`exact/manifests/${reference}`, {
          method: 'HEAD',
          headers: { accept: mediaType },
        });
        expect([head.status, head.headers.get('docker-content-digest')]).toEqual([
          200,
          image.manifest.digest,
        ]);
        expect(head.headers.get('content-length')).toBe(String(image.manifest.bytes.length));
      }
    });

    test('keeps an index of images', async () => {
      const image = sampleImage(['indexed']);
      await putImage('index', 'amd64', image);
      const { digest, bytes } = image.manifest;
      const entry = {
        mediaType: OCI_MANIFEST,
        digest,
        size: bytes.length,
        platform: { os: 'linux', architecture: 'amd64' },
      };
      const index = blobOf(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry] }));
      expect((await putManifest('index/manifests/latest', index, OCI_INDEX)).status).toBe(201);
      const response = await call('index/manifests/latest', { headers: { accept: OCI_INDEX } });
      expect(response.headers.get('content-type')).toBe(OCI_INDEX);
      expect(await response.bytes()).toEqual(index.bytes);
    });

    test('refuses an index whose images are not here', async () => {
      const entry = { mediaType: OCI_MANIFEST, digest: blobOf('no such image').digest, size: 13 };
      const index = blobOf(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry] }));
      const response = await putManifest('sparse/manifests/latest', index, OCI_INDEX);
      expect([response.status, await codeOf(response)]).toEqual([400, 'MANIFEST_BLOB_UNKNOWN']);
    });

    test('keeps an index of indexes, an empty one, and fields that it does not know', async () => {
      const image = sampleImage(['nested'], OCI_MANIFEST, { 'org.example.unknown': { kept: [1, 2] } });
      expect((await putImage('nested', 'image', image)).status).toBe(201);
      const indexOf = (mediaType: string, children: SampleBlob[]) =>
        blobOf(
          JSON.stringify({
            schemaVersion: 2,
            mediaType: OCI_INDEX,
            manifests: children.map(({ digest, bytes }) => ({ mediaType, digest, size: bytes.length })),
          }),
        );
      const inner = indexOf(OCI_MANIFEST, [image.manifest]);
      for (const [tag, index] of [
        ['inner', inner],
        ['outer', indexOf(OCI_INDEX, [inner])],
        ['empty', indexOf(OCI_MANIFEST, [])],
      ] as const) {
        expect((await putManifest(`nested/manifests/${tag}`, index, OCI_INDEX)).status, tag).toBe(201);
        const response = await call(`nested/manifests/${tag}`, { headers: { accept: OCI_INDEX } });
        expect(await response.bytes()).toEqual(index.bytes);
      }
    });

    test('keeps an artifact: the empty config, a type of its own, no layers', async () => {
      const empty = blobOf('{}');
      await put('artifact', empty);
      const link = (mediaType: string) => ({ mediaType, digest: empty.digest, size: 2 });
      for (const layers of [[], [link('application/x-test')]]) {
        const manifest = blobOf(
          JSON.stringify({
            schemaVersion: 2,
            mediaType: OCI_MANIFEST,
            artifactType: 'application/x-test',
            config: { ...link('application/vnd.oci.empty.v1+json'), data: 'e30=' },
            layers,
          }),
        );
        const created = await putManifest('artifact/manifests/v1', manifest, OCI_MANIFEST);
        expect(created.status).toBe(201);
        const response = await call('artifact/manifests/v1', { headers: { accept: OCI_MANIFEST } });
        expect(await response.bytes()).toEqual(manifest.bytes);
      }
    });

    test('a manifest and a blob that the client knows are 304', async () => {
      const image = sampleImage(['known']);
      await putImage('known', 'v1', image);
      const accept = OCI_MANIFEST;
      const first = await call('known/manifests/v1', { headers: { accept } });
      const etag = first.headers.get('etag') ?? '';
      expect(etag).toBe(`"${image.manifest.digest}"`);
      const again = await call('known/manifests/v1', { headers: { accept, 'if-none-match': etag } });
      expect(again.status).toBe(304);
      const blob = `known/blobs/${image.config.digest}`;
      const blobEtag = (await call(blob)).headers.get('etag') ?? '';
      expect((await call(blob, { headers: { 'if-none-match': blobEtag } })).status).toBe(304);
    });

    test('HEAD of what is not here is 404 and has no body', async () => {
      const digest = blobOf('not here either').digest;
      for (const path of ['heads/manifests/x', `heads/manifests/${digest}`, `heads/blobs/${digest}`]) {
        const response = await call(path, { method: 'HEAD' });
        expect([response.status, await response.text()], path).toEqual([404, '']);
      }
    });

    test('has no method that it should not have', async () => {
      for (const [method, path] of [
        ['PUT', 'x/tags/list'],
        ['POST', 'x/manifests/y'],
        ['PATCH', `x/blobs/${blobOf('x').digest}`],
        ['DELETE', '_catalog'],
      ] as const)
        expect((await call(path, { method })).status, `${method} ${path}`).toBe(405);
    });

    test('moves a tag and keeps the old manifest by digest', async () => {
      const [old, next] = [sampleImage(['old']), sampleImage(['next'])];
      await putImage('moving', 'latest', old);
      await putImage('moving', 'latest', next);
      const accept = { headers: { accept: OCI_MANIFEST } };
      expect((await call('moving/manifests/latest', accept)).headers.get('docker-content-digest')).toBe(
        next.manifest.digest,
      );
      expect((await call(`moving/manifests/${old.manifest.digest}`, accept)).status).toBe(200);
    });

    test('refuses manifests: unknown blob, wrong digest, no JSON, no size', async () => {
      const image = sampleImage(['never sent']);
      const missing = await putManifest('refusals/manifests/x', image.manifest, image.mediaType);
      expect([missing.status, await codeOf(missing)]).toEqual([400, 'MANIFEST_BLOB_UNKNOWN']);
      const good = sampleImage(['sent']);
      await putImage('refusals', 'good', good);
      const wrong = await putManifest(
        `refusals/manifests/${blobOf('x').digest}`,
        good.manifest,
        good.mediaType,
      );
      expect([wrong.status, await codeOf(wrong)]).toEqual([400, 'DIGEST_INVALID']);
      const garbage = await putManifest('refusals/manifests/x', blobOf('no json'), OCI_MANIFEST);
      expect([garbage.status, await codeOf(garbage)]).toEqual([400, 'MANIFEST_INVALID']);
      const huge = await putManifest(
        'refusals/manifests/x',
        blobOf(`{"x":"${'a'.repeat(5 << 20)}"}`),
        OCI_MANIFEST,
      );
      expect([400, 413]).toContain(huge.status);
      expect((await call('refusals/manifests/x')).status).toBe(404);
    });

    test('names what it does not have', async () => {
      const digest = blobOf('not here').digest;
      const manifest = await call('unknown/manifests/nope');
      expect([manifest.status, await codeOf(manifest)]).toEqual([404, 'MANIFEST_UNKNOWN']);
      const blob = await call(`unknown/blobs/${digest}`);
      expect([blob.status, await codeOf(blob)]).toEqual([404, 'BLOB_UNKNOWN']);
      const tags = await call('unknown/tags/list');
      expect([tags.status, await codeOf(tags)]).toEqual([404, 'NAME_UNKNOWN']);
      const bad = await call('unknown/blobs/sha256:12');
      expect([bad.status, await codeOf(bad)]).toEqual([400, 'DIGEST_INVALID']);
    });

    test.each([
      'UPPER/manifests/x',
      'a/../b/manifests/x',
      '..%2f..%2fetc/manifests/x',
      'a/manifests/-x',
      'a//b/tags/list',
      'x',
      '%zz/tags/list',
    ])('does not serve %s', async (path) => {
      const response = await call(path);
      expect([301, 400, 404]).toContain(response.status);
    });

    test('removes manifests with their tags, and blobs', async () => {
      const image = sampleImage(['to be removed']);
      await putImage('removal', 'gone', image);
      expect((await call(`removal/manifests/${image.manifest.digest}`, { method: 'DELETE' })).status).toBe(
        202,
      );
      expect((await call('removal/manifests/gone')).status).toBe(404);
      expect((await call(`removal/manifests/${image.manifest.digest}`, { method: 'DELETE' })).status).toBe(
        404,
      );
      const layer = image.layers[0]?.digest;
      expect((await call(`removal/blobs/${layer}`, { method: 'DELETE' })).status).toBe(202);
      expect((await call(`removal/blobs/${layer}`)).status).toBe(404);
    });

    test('lists tags and repositories', async () => {
      const image = sampleImage(['tagged']);
      for (const tag of ['b', 'a', 'c']) await putImage('listed/here', tag, image);
      const listed = (await (await call('listed/here/tags/list')).json()) as { name: string; tags: string[] };
      expect([listed.name, listed.tags.toSorted()]).toEqual(['listed/here', ['a', 'b', 'c']]);
      const catalog = (await (await call('_catalog?n=1000')).json()) as { repositories: string[] };
      expect(catalog.repositories).toContain('listed/here');
      const page = await call('_catalog?n=1');
      expect(((await page.json()) as { repositories: string[] }).repositories).toHaveLength(1);
      const [first = ''] = ((await (await call('_catalog?n=1')).json()) as { repositories: string[] })
        .repositories;
      const rest = (await (await call(`_catalog?n=1000&last=${first}`)).json()) as { repositories: string[] };
      expect(rest.repositories).not.toContain(first);
      expect(rest.repositories.toSorted()).toEqual(catalog.repositories.toSorted().slice(1));
      expect(page.headers.get('link')).toMatch(/^<.*[?&]n=1.*>; rel="next"$/);
    });

    describe('through our clients', () => {
      const options = () => ({ signal: new AbortController().signal });
      const reference = (text: string) => parseReference(`127.0.0.1:${registry.port}/${text}`);
      const streamOf = (bytes: Uint8Array) =>
        new Response(new Uint8Array(bytes)).body as ReadableStream<Uint8Array>;
      const open = (blob: SampleBlob) => (from: number) => streamOf(blob.bytes.slice(from));
      const descriptorOf = ({ digest, bytes }: SampleBlob) => ({ digest, size: bytes.length });

      test.each([undefined, 100_000])(
        'an image pushed (chunks of %p) is pulled again',
        async (chunkBytes) => {
          const image = sampleImage([patterned(1_000_003, 7), 'small']);
          const target = reference(`clients/push${chunkBytes ?? ''}:v1`);
          const push = new DistributionPushClient(plainConfig);
          for (const blob of [image.config, ...image.layers]) {
            expect(await push.blobExists(target, blob.digest, options())).toBe(false);
            const upload = { ...options(), ...(chunkBytes === undefined ? {} : { chunkBytes }) };
            await push.uploadBlob(target, { descriptor: descriptorOf(blob), open: open(blob) }, upload);
            expect(await push.blobExists(target, blob.digest, options())).toBe(true);
          }
          const manifest = { mediaType: image.mediaType, bytes: image.manifest.bytes };
          expect(await push.putManifest(target, manifest, options())).toBe(image.manifest.digest);
          const client = new DistributionClient(plainConfig);
          const resolved = await client.manifest(target, options());
          expect(resolved.descriptor).toEqual({ mediaType: OCI_MANIFEST, ...descriptorOf(image.manifest) });
          expect(resolved.bytes).toEqual(image.manifest.bytes);
          const layer = image.layers[0] as SampleBlob;
          const whole = await client.blob(target, layer.digest, { ...options(), size: layer.bytes.length });
          expect(digestOf(await new Response(whole.body).bytes())).toBe(layer.digest);
          const rest = await client.blob(target, layer.digest, { ...options(), start: 999_000 });
          expect(rest.start).toBe(999_000);
          expect(await new Response(rest.body).bytes()).toEqual(layer.bytes.slice(999_000));
          const none = await client.blob(target, layer.digest, { ...options(), start: layer.bytes.length });
          expect((await new Response(none.body).bytes()).length).toBe(0);
        },
      );

      test('mountBlob() tells whether it worked', async () => {
        const blob = blobOf('mounted by the client');
        const push = new DistributionPushClient(plainConfig);
        await push.uploadBlob(
          reference('clients/a'),
          { descriptor: descriptorOf(blob), open: open(blob) },
          options(),
        );
        const mount = (from: string) =>
          push.mountBlob(reference('clients/b'), { digest: blob.digest, from }, options());
        expect(await mount('clients/none')).toBe(false);
        expect(await mount('clients/a')).toBe(true);
      });

      test('an upload of too few bytes fails', async () => {
        const blob = blobOf('twelve bytes');
        const push = new DistributionPushClient(plainConfig, { timing: { retryBaseMs: 1, blobAttempts: 2 } });
        const upload = push.uploadBlob(
          reference('clients/short'),
          { descriptor: { digest: blob.digest, size: 20 }, open: open(blob) },
          options(),
        );
        expect(upload).rejects.toThrow("Cannot upload: the blob hasn't the 20 bytes it should have");
        await upload.catch(() => undefined);
      });

      test('an unknown name has the words that Docker has', async () => {
        const client = new DistributionClient(plainConfig);
        const name = reference('nosuch:tag');
        await client.manifest(name, options()).then(
          () => expect.unreachable(),
          (error: unknown) =>
            expect(error).toMatchObject({
              kind: 'not-found',
              code: 'registry-manifest-unknown',
              message: `manifest for 127.0.0.1:${registry.port}/nosuch:tag not found: manifest unknown: manifest unknown`,
            }),
        );
      });
    });
  });
}
