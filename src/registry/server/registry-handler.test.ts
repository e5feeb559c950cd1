import { describe, expect, test } from 'bun:test';
import { connect } from 'node:net';
import { EngineError } from '../../errors/engine-error.ts';
import { silentLogger } from '../../errors/logger.ts';
import { parseReference } from '../../oci/reference.ts';
import { DistributionClient } from '../client/distribution-client.ts';
import { plainConfig } from '../testing/contract.ts';
import {
  blobOf,
  OCI_INDEX,
  OCI_MANIFEST,
  patterned,
  type SampleImage,
  sampleImage,
} from '../testing/sample-image.ts';
import type { BlobBackend } from './blob-backend.ts';
import { parseRange } from './blob-endpoint.ts';
import { MemoryBlobBackend } from './memory-blob-backend.ts';
import { publishImage } from './publish-image.ts';
import { createRegistryHandler, type RegistryHandlerOptions } from './registry-handler.ts';
import { serveRegistry } from './serve-registry.ts';

// What the OCI distribution specification 1.1 asks beyond what docker-registry 2.8 does. No socket: the handler alone.
function open(options: RegistryHandlerOptions = {}, backend: BlobBackend = new MemoryBlobBackend()) {
  const handler = createRegistryHandler(backend, options);
  const call = (path: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers);
    headers.set('host', 'registry');
    return handler(new Request(`http://registry/v2/${path}`, { ...init, headers }));
  };
  return { backend, handler, call };
}

async function publish(backend: BlobBackend, repository: string, tag: string, image: SampleImage) {
  const blobs = [image.config, ...image.layers].map(({ digest, bytes }) => ({
    digest,
    open: () => new Blob([bytes]).stream(),
  }));
  return publishImage(backend, {
    repository,
    tag,
    manifest: { mediaType: image.mediaType, bytes: image.manifest.bytes },
    blobs,
  });
}

async function codeOf(response: Response): Promise<string> {
  const body = (await response.json()) as { errors: { code: string }[] };
  return body.errors[0]?.code ?? '';
}

async function begin(call: ReturnType<typeof open>['call'], repository: string): Promise<string> {
  const response = await call(`${repository}/blobs/uploads/`, { method: 'POST' });
  return (response.headers.get('location') ?? '').replace('http://registry/v2/', '');
}

describe('createRegistryHandler()', () => {
  test('refuses a chunk out of order and says where the upload stands', async () => {
    const { call } = open();
    const session = await begin(call, 'a');
    const patch = (range: string) =>
      call(session, { method: 'PATCH', body: 'x'.repeat(10), headers: { 'content-range': range } });
    expect((await patch('0-9')).status).toBe(202);
    const early = await patch('20-29');
    expect([early.status, early.headers.get('range')]).toEqual([416, '0-9']);
    expect((await patch('0-9')).status).toBe(416);
    expect((await patch('junk')).status).toBe(416);
    expect((await patch('10-19')).headers.get('range')).toBe('0-19');
  });

  test('takes a blob in a single POST', async () => {
    const { call } = open();
    const blob = blobOf('single');
    const response = await call(`a/blobs/uploads/?digest=${blob.digest}`, {
      method: 'POST',
      body: blob.bytes,
    });
    expect([response.status, response.headers.get('location')]).toEqual([
      201,
      `http://registry/v2/a/blobs/${blob.digest}`,
    ]);
    expect(await (await call(`a/blobs/${blob.digest}`)).text()).toBe('single');
  });

  test('an upload session belongs to its repository', async () => {
    const { call } = open();
    const session = await begin(call, 'mine');
    const response = await call(session.replace('mine', 'yours'), { method: 'PATCH', body: 'x' });
    expect([response.status, await codeOf(response)]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
  });

  test('refuses a blob over its limit, and too many uploads', async () => {
    const { call } = open({ maxBlobBytes: 10, maxSessions: 1 });
    const session = await begin(call, 'a');
    const busy = await call('a/blobs/uploads/', { method: 'POST' });
    expect([busy.status, await codeOf(busy)]).toEqual([429, 'TOOMANYREQUESTS']);
    const large = await call(session, { method: 'PATCH', body: 'x'.repeat(11) });
    expect([large.status, await codeOf(large)]).toEqual([413, 'SIZE_INVALID']);
    expect((await call(session)).status).toBe(404);
  });

  test('uploads that begin at once count as those that have begun', async () => {
    const { call } = open({ maxSessions: 3 });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => call('a/blobs/uploads/', { method: 'POST' })),
    );
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(3);
  });

  test('an upload that nobody goes on with gives way to a new one', async () => {
    const { call } = open({ maxSessions: 2, crowdedIdleMs: 0 });
    const forgotten = await begin(call, 'a');
    await Bun.sleep(2);
    const later = await begin(call, 'a');
    await Bun.sleep(2);
    await begin(call, 'b');
    expect([(await call(forgotten)).status, (await call(later)).status]).toEqual([404, 204]);
  });

  test('read-only serves and changes nothing', async () => {
    const { backend, call } = open({ readOnly: true });
    const image = sampleImage(['x']);
    await publish(backend, 'library/x', 'latest', image);
    expect((await call('library/x/manifests/latest')).status).toBe(200);
    for (const [method, path] of [
      ['POST', 'library/x/blobs/uploads/'],
      ['PUT', 'library/x/manifests/latest'],
      ['DELETE', `library/x/manifests/${image.manifest.digest}`],
      ['DELETE', `library/x/blobs/${image.config.digest}`],
    ] as const) {
      const response = await call(path, { method });
      expect([response.status, await codeOf(response)]).toEqual([403, 'DENIED']);
    }
  });

  test('lists tags in order, by pages', async () => {
    const { backend, call } = open();
    for (const tag of ['b', 'd', 'a', 'c']) await publish(backend, 'x', tag, sampleImage(['x']));
    expect(await (await call('x/tags/list')).json()).toEqual({ name: 'x', tags: ['a', 'b', 'c', 'd'] });
    const seen: string[] = [];
    let next: string | undefined = 'x/tags/list?n=3';
    while (next !== undefined) {
      const response = await call(next);
      seen.push(((await response.json()) as { tags: string[] }).tags.join(''));
      next = /^<http:\/\/registry\/v2\/(.*)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
    }
    expect(seen).toEqual(['abc', 'd']);
    expect((await call('x/tags/list?n=-1')).status).toBe(400);
    expect(await (await call('x/tags/list?n=0')).json()).toEqual({ name: 'x', tags: [] });
  });

  test('removes a tag alone', async () => {
    const { backend, call } = open();
    const image = sampleImage(['x']);
    await publish(backend, 'x', 'one', image);
    await publish(backend, 'x', 'two', image);
    expect((await call('x/manifests/one', { method: 'DELETE' })).status).toBe(202);
    expect((await call('x/manifests/one')).status).toBe(404);
    expect((await call('x/manifests/two')).status).toBe(200);
  });

  test('lists referrers, filtered by artifact type', async () => {
    const { backend, call } = open();
    const image = sampleImage(['subject']);
    await publish(backend, 'x', 'latest', image);
    const subject = {
      mediaType: OCI_MANIFEST,
      digest: image.manifest.digest,
      size: image.manifest.bytes.length,
    };
    const annotations = { 'org.example': 'yes' };
    const signature = sampleImage(['sig'], OCI_MANIFEST, {
      subject,
      artifactType: 'application/x-signature',
      annotations,
    });
    for (const blob of [signature.config, ...signature.layers])
      await call(`x/blobs/uploads/?digest=${blob.digest}`, { method: 'POST', body: blob.bytes });
    const put = await call(`x/manifests/${signature.manifest.digest}`, {
      method: 'PUT',
      body: signature.manifest.bytes,
      headers: { 'content-type': OCI_MANIFEST },
    });
    expect([put.status, put.headers.get('oci-subject')]).toEqual([201, image.manifest.digest]);
    const listed = await call(`x/referrers/${image.manifest.digest}`);
    expect(listed.headers.get('content-type')).toBe(OCI_INDEX);
    const entry = {
      mediaType: OCI_MANIFEST,
      digest: signature.manifest.digest,
      size: signature.manifest.bytes.length,
      artifactType: 'application/x-signature',
      annotations,
    };
    expect(await listed.json()).toEqual({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry] });
    const filtered = await call(`x/referrers/${image.manifest.digest}?artifactType=other`);
    expect(filtered.headers.get('oci-filters-applied')).toBe('artifactType');
    expect(((await filtered.json()) as { manifests: unknown[] }).manifests).toEqual([]);
    const none = await call(`x/referrers/${blobOf('nobody').digest}`);
    expect([none.status, ((await none.json()) as { manifests: unknown[] }).manifests]).toEqual([200, []]);
  });

  test.each([
    ['text/plain', '{}'],
    [OCI_MANIFEST, '[]'],
    [OCI_MANIFEST, '{"schemaVersion":1,"layers":[]}'],
    [OCI_MANIFEST, `{"schemaVersion":2,"mediaType":"${OCI_INDEX}","layers":[]}`],
    [OCI_MANIFEST, '{"schemaVersion":2,"layers":[],"manifests":[]}'],
    [OCI_INDEX, '{"schemaVersion":2,"layers":[],"manifests":[]}'],
    [OCI_MANIFEST, '{"schemaVersion":2,"config":{"digest":"../x"},"layers":[]}'],
  ])('refuses the manifest %s %s', async (type, body) => {
    const { call } = open();
    const response = await call('x/manifests/y', { method: 'PUT', body, headers: { 'content-type': type } });
    expect([response.status, await codeOf(response)]).toEqual([400, 'MANIFEST_INVALID']);
  });

  test('answers a known etag with 304', async () => {
    const { backend, call } = open();
    const digest = await publish(backend, 'x', 'latest', sampleImage(['x']));
    const response = await call('x/manifests/latest', { headers: { 'if-none-match': `"${digest}"` } });
    expect(response.status).toBe(304);
  });

  test.each(['"DIGEST"', 'W/"DIGEST"', 'DIGEST', '"other", "DIGEST"', '*'])(
    'If-None-Match %s is known, of manifests and blobs',
    async (form) => {
      const { backend, call } = open();
      const image = sampleImage(['x']);
      await publish(backend, 'x', 'latest', image);
      for (const [path, { digest }] of [
        ['manifests/latest', image.manifest],
        [`blobs/${image.config.digest}`, image.config],
      ] as const) {
        const headers = { 'if-none-match': form.replace('DIGEST', digest) };
        const response = await call(`x/${path}`, { headers });
        expect([response.status, response.headers.get('etag')]).toEqual([304, `"${digest}"`]);
        expect((await call(`x/${path}`, { headers: { 'if-none-match': '"sha256:0"' } })).status).toBe(200);
      }
    },
  );

  test('If-Range with another entity tag takes the range away', async () => {
    const { backend, call } = open();
    const image = sampleImage(['0123456789']);
    await publish(backend, 'x', 'latest', image);
    const { digest } = image.layers[0] ?? image.config;
    const ask = (condition: string) =>
      call(`x/blobs/${digest}`, { headers: { range: 'bytes=2-3', 'if-range': condition } });
    expect(await (await ask(`"${digest}"`)).text()).toBe('23');
    expect(await (await ask('"older"')).text()).toBe('0123456789');
  });

  test('mounts what any repository has when none is named', async () => {
    const { backend, call } = open();
    const image = sampleImage(['x']);
    await publish(backend, 'somewhere', 'latest', image);
    const mount = (digest: string) => call(`else/blobs/uploads/?mount=${digest}`, { method: 'POST' });
    expect((await mount(image.config.digest)).status).toBe(201);
    expect((await call(`else/blobs/${image.config.digest}`)).status).toBe(200);
    expect((await mount(blobOf('nowhere').digest)).status).toBe(202);
  });

  test('a push by digest names its tags beside it', async () => {
    const { backend, call } = open();
    const image = sampleImage(['x']);
    await publish(backend, 'x', 'first', image);
    const put = (query: string) =>
      call(`x/manifests/${image.manifest.digest}?${query}`, {
        method: 'PUT',
        body: image.manifest.bytes,
        headers: { 'content-type': OCI_MANIFEST },
      });
    const response = await put('tag=a&tag=b');
    expect([response.status, response.headers.get('oci-tag')]).toEqual([201, 'a, b']);
    expect(await (await call('x/tags/list')).json()).toEqual({ name: 'x', tags: ['a', 'b', 'first'] });
    expect((await put('tag=-bad')).status).toBe(400);
    expect((await put(Array.from({ length: 65 }, (_, n) => `tag=t${n}`).join('&'))).status).toBe(414);
  });

  test('keeps a manifest by the sha512 that it is pushed by, with its tag', async () => {
    const { backend, call } = open();
    const image = sampleImage(['by sha512']);
    await publish(backend, 'x', 'first', image);
    const { bytes, digest } = blobOf(image.manifest.bytes, 'sha512');
    const headers = { 'content-type': OCI_MANIFEST };
    const put = (name: string) => call(`x/manifests/${name}`, { method: 'PUT', body: bytes, headers });
    const created = await put(`${digest}?tag=long`);
    expect([created.status, created.headers.get('docker-content-digest')]).toEqual([201, digest]);
    for (const name of [digest, 'long']) {
      const response = await call(`x/manifests/${name}`);
      expect([response.status, response.headers.get('docker-content-digest')]).toEqual([200, digest]);
      expect(await response.bytes()).toEqual(bytes);
    }
    expect((await call('x/manifests/first')).headers.get('docker-content-digest')).toBe(
      image.manifest.digest,
    );
    const wrong = await put(blobOf('other', 'sha512').digest);
    expect([wrong.status, await codeOf(wrong)]).toEqual([400, 'DIGEST_INVALID']);
    const unknown = await put(`blake3:${'a'.repeat(64)}`);
    expect([unknown.status, await codeOf(unknown)]).toEqual([400, 'DIGEST_INVALID']);
    expect((await call(`x/manifests/${digest}`, { method: 'DELETE' })).status).toBe(202);
    expect((await call('x/manifests/long')).status).toBe(404);
    expect((await call('x/manifests/first')).status).toBe(200);
  });

  test('refuses an index whose images are not here, and takes a subject that is not', async () => {
    const { backend, call } = open();
    const entry = { mediaType: OCI_MANIFEST, digest: blobOf('absent').digest, size: 6 };
    const put = (body: object, type: string) =>
      call('x/manifests/y', { method: 'PUT', body: JSON.stringify(body), headers: { 'content-type': type } });
    const sparse = await put({ schemaVersion: 2, manifests: [entry] }, OCI_INDEX);
    expect([sparse.status, await codeOf(sparse)]).toEqual([400, 'MANIFEST_BLOB_UNKNOWN']);
    const image = sampleImage(['x']);
    await publish(backend, 'x', 'latest', image);
    const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: image.config.digest, size: 1 };
    const early = await put({ schemaVersion: 2, config, layers: [], subject: entry }, OCI_MANIFEST);
    expect([early.status, early.headers.get('oci-subject')]).toEqual([201, entry.digest]);
    expect((await put({ schemaVersion: 2, manifests: [] }, OCI_INDEX)).status).toBe(201);
  });

  test('layers that may lie elsewhere need not be here', async () => {
    const { backend, call } = open();
    const image = sampleImage(['x']);
    await publish(backend, 'x', 'latest', image);
    const foreign = (mediaType: string) => ({ mediaType, digest: blobOf(mediaType).digest, size: 1 });
    const body = JSON.stringify({
      schemaVersion: 2,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: image.config.digest, size: 1 },
      layers: [
        foreign('application/vnd.oci.image.layer.nondistributable.v1.tar+gzip'),
        foreign('application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'),
      ],
    });
    const headers = { 'content-type': OCI_MANIFEST };
    expect((await call('x/manifests/y', { method: 'PUT', body, headers })).status).toBe(201);
  });

  test('a chunk has the length that its range says', async () => {
    const { call } = open();
    const session = await begin(call, 'a');
    const patch = (range: string, body: string, length?: string) =>
      call(session, {
        method: 'PATCH',
        body,
        headers: { 'content-range': range, ...(length === undefined ? {} : { 'content-length': length }) },
      });
    const lied = await patch('0-9', 'x'.repeat(5), '5');
    expect([lied.status, await codeOf(lied)]).toEqual([400, 'SIZE_INVALID']);
    expect((await patch('9-0', 'x')).status).toBe(416);
    expect((await call(session)).headers.get('range')).toBe('0-0');
  });

  test('a single POST that fails leaves no session', async () => {
    const { call } = open({ maxSessions: 1 });
    const post = (body: string) =>
      call(`a/blobs/uploads/?digest=${blobOf('right').digest}`, { method: 'POST', body });
    expect((await post('wrong')).status).toBe(400);
    expect((await post('right')).status).toBe(201);
  });

  test('a full disk ends the upload with 507 and keeps nothing of it', async () => {
    const backend = new MemoryBlobBackend();
    const upload = backend.upload.bind(backend);
    let aborted = 0;
    backend.upload = async (id) => ({
      ...(await upload(id)),
      write: () => Promise.reject(new EngineError('internal', 'ENOSPC', { code: 'no-space' })),
      abort: async () => void aborted++,
    });
    const { call } = open({}, backend);
    const session = await begin(call, 'a');
    const response = await call(session, { method: 'PATCH', body: 'x' });
    expect([response.status, await codeOf(response), aborted]).toEqual([507, 'UNAVAILABLE', 1]);
    expect((await call(session)).status).toBe(404);
  });

  test('ten uploads of one blob at once end in one blob', async () => {
    const { backend, call } = open();
    const blob = blobOf(patterned(100_000));
    const path = `a/blobs/uploads/?digest=${blob.digest}`;
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => call(path, { method: 'POST', body: blob.bytes })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect((await backend.openBlob('a', blob.digest))?.size).toBe(100_000);
  });

  test('answers a search as Docker asks it', async () => {
    const { backend, handler } = open();
    const described = { annotations: { 'org.opencontainers.image.description': 'A web server' } };
    await publish(backend, 'library/nginx', 'latest', sampleImage(['n'], OCI_MANIFEST, described));
    await publish(backend, 'team/nginx-proxy', 'v1', sampleImage(['p']));
    await publish(backend, 'team/other', 'v1', sampleImage(['o']));
    const search = async (query: string) =>
      (await (await handler(new Request(`http://registry/v1/search?${query}`))).json()) as object;
    const result = { star_count: 0, is_automated: false, is_trusted: false };
    expect(await search('q=nginx&n=25')).toEqual({
      num_pages: 1,
      num_results: 2,
      page: 1,
      page_size: 25,
      query: 'nginx',
      results: [
        { ...result, name: 'nginx', description: 'A web server', is_official: true },
        { ...result, name: 'team/nginx-proxy', description: '', is_official: false },
      ],
    });
    expect(await search('q=nginx&n=1&page=2')).toMatchObject({
      num_pages: 2,
      results: [{ name: 'team/nginx-proxy' }],
    });
    expect(await search('q=TEAM%20other&n=x')).toMatchObject({ num_results: 1 });
    expect(await search('q=zzz')).toMatchObject({ num_results: 0, results: [], num_pages: 0 });
    expect(
      (await handler(new Request('http://registry/v1/_ping'))).headers.get('x-docker-registry-standalone'),
    ).toBe('true');
  });

  test('a backend that fails is 500 and no detail', async () => {
    const backend = new MemoryBlobBackend();
    backend.manifest = () => Promise.reject(new Error('/secret/path'));
    const response = await open({}, backend).call('x/manifests/y');
    expect([response.status, (await response.text()).includes('secret')]).toEqual([500, false]);
  });

  test('refuses a method that it has not', async () => {
    const response = await open().call('x/tags/list', { method: 'POST' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });
});

test.each([
  ['bytes=0-0', { start: 0, end: 1 }],
  ['bytes=-', undefined],
  ['bytes=0-1,3-4', undefined],
  ['items=0-1', undefined],
  ['bytes=99999999999999999999-', undefined],
  ['bytes=-500', { start: 0, end: 100 }],
])('parseRange(%s)', (header, expected) => {
  expect(parseRange(header, 100)).toEqual(expected as never);
});

test('publishImage() fills a registry that is served read-only', async () => {
  const backend = new MemoryBlobBackend();
  const registry = serveRegistry(createRegistryHandler(backend, { readOnly: true }));
  try {
    const image = sampleImage([patterned(5000)]);
    await publish(backend, 'library/hello', 'latest', image);
    const client = new DistributionClient({ ...plainConfig, mirrors: [registry.url] });
    const signal = new AbortController().signal;
    const resolved = await client.manifest(parseReference('hello:latest'), { signal });
    expect(resolved).toMatchObject({ source: { baseUrl: registry.url, mirror: true } });
    expect(resolved.descriptor.digest).toBe(image.manifest.digest);
  } finally {
    await registry.close();
  }
});

test('an upload whose connection broke goes on where it stopped', async () => {
  const logged: string[] = [];
  const backend = new MemoryBlobBackend();
  const logger = { ...silentLogger, error: (message: string) => void logged.push(message) };
  const registry = serveRegistry(createRegistryHandler(backend, { logger }));
  try {
    const blob = blobOf(patterned(1000));
    const started = await fetch(`${registry.url}/v2/a/blobs/uploads/`, { method: 'POST' });
    const session = started.headers.get('location') ?? '';
    await sendHalf(registry.port, new URL(session).pathname, blob.bytes.subarray(0, 600));
    let standing = '';
    for (let tries = 0; standing !== '0-599' && tries < 100; tries++) {
      await Bun.sleep(10);
      standing = (await fetch(session)).headers.get('range') ?? '';
    }
    expect(standing).toBe('0-599');
    const body = blob.bytes.slice(600);
    let done = 0;
    // The registry may still be noticing that the first connection is gone.
    for (let tries = 0; done !== 201 && tries < 100; tries++) {
      await Bun.sleep(10);
      done = (await fetch(`${session}?digest=${blob.digest}`, { method: 'PUT', body })).status;
    }
    expect(done).toBe(201);
    expect(await backend.hasBlob('a', blob.digest)).toBe(true);
    expect(logged).toEqual([]);
  } finally {
    await registry.close();
  }
});

test('a client that sends too slowly is cut off, and what came stays', async () => {
  const pace = { windowMs: 200, minBytes: 10_000 };
  const registry = serveRegistry(createRegistryHandler(new MemoryBlobBackend(), { pace }));
  try {
    const started = await fetch(`${registry.url}/v2/a/blobs/uploads/`, { method: 'POST' });
    const session = started.headers.get('location') ?? '';
    expect(await dripTo(registry.port, `PATCH ${new URL(session).pathname}`)).toStartWith('HTTP/1.1 408 ');
    expect(Number((await fetch(session)).headers.get('range')?.replace('0-', ''))).toBeGreaterThan(0);
    expect(await dripTo(registry.port, 'PUT /v2/a/manifests/latest')).toStartWith('HTTP/1.1 408 ');
  } finally {
    await registry.close();
  }
});

/** A request whose body comes a byte at a time, for five seconds at most; resolves to what is answered. */
function dripTo(port: number, target: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let received = '';
  const socket = connect(port, '127.0.0.1');
  const dripping = setInterval(() => socket.write('x'), 20);
  const timer = setTimeout(() => socket.destroy(), 5000);
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    received += String(chunk);
    socket.destroy();
  });
  socket.on('close', () => {
    clearInterval(dripping);
    clearTimeout(timer);
    resolve(received);
  });
  socket.write(`${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n`);
  return promise;
}

/** A PATCH that promises 1000 bytes, sends these and goes away. */
async function sendHalf(port: number, path: string, bytes: Uint8Array): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await new Promise<void>((resolve) => socket.on('connect', () => resolve()));
  socket.write(`PATCH ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n`);
  socket.write(bytes);
  await Bun.sleep(50);
  socket.destroy();
}

test('no path makes it fall over', async () => {
  const { call } = open();
  const pieces = [
    'v2',
    '..',
    '.',
    '',
    '%2e%2e',
    '%00',
    'manifests',
    'blobs',
    'uploads',
    'tags',
    'list',
    'a',
    'A',
    '_catalog',
    '%',
    '\u{1f4a9}',
    '?n=x',
  ];
  let state = 7;
  const next = (bound: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % bound;
  };
  for (let round = 0; round < 3000; round++) {
    const path = Array.from({ length: next(7) }, () => pieces[next(pieces.length)]).join('/');
    const method = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'][next(6)] ?? 'GET';
    const { status } = await call(path, { method });
    expect(status, `${method} ${path}`).toBeLessThan(500);
  }
});
