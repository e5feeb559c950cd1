import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../../test/support/engine/command.ts';
import { putImage } from '../../../test/support/registry/put-image.ts';
import { type Logger, silentLogger } from '../../errors/logger.ts';
import { OwnBlobCollector } from '../../registry/server/blob-collector.ts';
import { FailureLimit } from '../../registry/server/failure-limit.ts';
import { HtpasswdAuthenticator } from '../../registry/server/htpasswd.ts';
import { MemoryBlobBackend } from '../../registry/server/memory-blob-backend.ts';
import { publishImage } from '../../registry/server/publish-image.ts';
import {
  createRegistryHandler,
  type RegistryHandlerOptions,
} from '../../registry/server/registry-handler.ts';
import type { RunningRegistry } from '../../registry/server/serve-registry.ts';
import { plainConfig } from '../../registry/testing/contract.ts';
import { type FaultyRegistry, startFaultyRegistry } from '../../registry/testing/faulty-registry.ts';
import { freePort, hasDockerRegistry, startDockerRegistry } from '../../registry/testing/running-registry.ts';
import {
  blobOf,
  digestOf,
  OCI_MANIFEST,
  patterned,
  type SampleImage,
  sampleImage,
} from '../../registry/testing/sample-image.ts';
import { type LockedRegistryRoot, openRegistryRoot } from './registry-root.ts';
import { type ProxyOptions, startRegistry } from './start-registry.ts';
import { parseUpstream } from './upstream-address.ts';

let directory: string;
let closers: (() => unknown)[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-proxy-'));
  closers = [];
});
afterEach(async () => {
  for (const close of closers.toReversed()) await close();
  rmSync(directory, { recursive: true, force: true });
});

async function startUpstream(options: RegistryHandlerOptions = {}): Promise<{
  upstream: FaultyRegistry;
  publish: (name: string, tag: string, image: SampleImage) => Promise<void>;
}> {
  const backend = new MemoryBlobBackend();
  const upstream = await startFaultyRegistry(createRegistryHandler(backend, options));
  closers.push(() => upstream.close());
  const publish = async (repository: string, tag: string, image: SampleImage) => {
    const blobs = [image.config, ...image.layers].map(({ digest, bytes }) => ({
      digest,
      open: () => new Blob([bytes]).stream(),
    }));
    const manifest = { mediaType: image.mediaType, bytes: image.manifest.bytes };
    await publishImage(backend, { repository, tag, manifest, blobs });
  };
  return { upstream, publish };
}

interface Proxy {
  running: RunningRegistry;
  root: LockedRegistryRoot;
  get: (path: string, init?: RequestInit) => Promise<Response>;
  stop(): Promise<void>;
}

async function startProxy(
  url: string,
  options: Partial<ProxyOptions> & { logger?: Logger; port?: number } = {},
): Promise<Proxy> {
  const root = await openRegistryRoot(join(directory, 'registry'));
  const keeper = new OwnBlobCollector(root.content, () => root.pushed.digests().union(root.cached.digests()));
  const proxy = { upstream: parseUpstream(url), maxBytes: 1 << 30, freshMs: 60_000, ...options };
  const running = await startRegistry(
    { host: '127.0.0.1', port: options.port ?? 0, writable: true, proxy },
    { root, keeper, client: plainConfig, logger: options.logger ?? silentLogger },
  );
  let stopped = false;
  const stop = async () => {
    if (!stopped) {
      await running.close();
      root.release();
    }
    stopped = true;
  };
  closers.push(stop);
  const get = (path: string, init: RequestInit = {}) => fetch(`${running.url}/v2/${path}`, init);
  return { running, root, get, stop };
}

const gets = (upstream: FaultyRegistry, part: string, method = 'GET') =>
  upstream.requests.filter((request) => request.method === method && request.path.includes(part)).length;
const layerOf = (image: SampleImage) => image.layers[0] ?? blobOf('');

describe('a pull-through cache', () => {
  test('fetches once, keeps every byte, and serves without its upstream', async () => {
    const { upstream, publish } = await startUpstream();
    const image = sampleImage([patterned(700_001), 'small']);
    await publish('team/app', 'v1', image);
    const proxy = await startProxy(upstream.url);
    for (let round = 0; round < 2; round++) {
      const manifest = await proxy.get('team/app/manifests/v1');
      expect([manifest.status, manifest.headers.get('content-type')]).toEqual([200, OCI_MANIFEST]);
      expect(await manifest.bytes()).toEqual(image.manifest.bytes);
      for (const blob of [image.config, ...image.layers]) {
        const response = await proxy.get(`team/app/blobs/${blob.digest}`);
        expect(digestOf(await response.bytes())).toBe(blob.digest);
      }
    }
    expect(gets(upstream, 'blobs/')).toBe(3);
    expect(gets(upstream, 'manifests/')).toBe(1);
    await upstream.close();
    expect((await proxy.get('team/app/manifests/v1')).headers.get('warning')).toBeNull();
    expect(await (await proxy.get('team/app/tags/list')).json()).toEqual({ name: 'team/app', tags: ['v1'] });
    expect(await (await proxy.get('_catalog')).json()).toEqual({ repositories: ['team/app'] });
  });

  test('a HEAD fetches nothing and tells the size that the manifest told', async () => {
    const { upstream, publish } = await startUpstream();
    const image = sampleImage([patterned(5000)]);
    await publish('app', 'v1', image);
    const proxy = await startProxy(upstream.url);
    await proxy.get('app/manifests/v1');
    const head = await proxy.get(`app/blobs/${layerOf(image).digest}`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '5000']);
    expect(gets(upstream, 'blobs/')).toBe(0);
    expect((await proxy.get(`app/blobs/${blobOf('nowhere').digest}`, { method: 'HEAD' })).status).toBe(404);
  });

  test('ten readers of one blob share one transfer, each with its own part', async () => {
    const { upstream, publish } = await startUpstream();
    const image = sampleImage([patterned(3_000_003)]);
    await publish('app', 'v1', image);
    const proxy = await startProxy(upstream.url);
    await proxy.get('app/manifests/v1');
    const { digest, bytes } = layerOf(image);
    const whole = Array.from({ length: 8 }, () => proxy.get(`app/blobs/${digest}`));
    const parts = ['bytes=1000000-', 'bytes=5-9'].map((range) =>
      proxy.get(`app/blobs/${digest}`, { headers: { range } }),
    );
    for (const response of await Promise.all(whole)) expect(digestOf(await response.bytes())).toBe(digest);
    const [rest, few] = await Promise.all(parts);
    expect([rest?.status, await rest?.bytes()]).toEqual([206, bytes.slice(1_000_000)]);
    expect([few?.status, await few?.bytes()]).toEqual([206, bytes.slice(5, 10)]);
    expect(gets(upstream, digest)).toBe(1);
  });

  test('bytes that are others’ break the connection, are not kept, and are asked for again', async () => {
    const { upstream, publish } = await startUpstream();
    const image = sampleImage([patterned(300_000)]);
    await publish('app', 'v1', image);
    const proxy = await startProxy(upstream.url);
    await proxy.get('app/manifests/v1');
    const { digest } = layerOf(image);
    upstream.fault = ({ path }) => (path.includes(digest) ? { kind: 'corrupt' } : undefined);
    const response = await proxy.get(`app/blobs/${digest}`);
    const outcome = await response.bytes().then(
      () => 'whole',
      () => 'broken',
    );
    expect(outcome).toBe('broken');
    expect(await proxy.root.content.size(digest)).toBeUndefined();
    upstream.fault = () => undefined;
    expect(digestOf(await (await proxy.get(`app/blobs/${digest}`)).bytes())).toBe(digest);
  });

  test('a transfer that broke goes on where it stopped, also after a restart', async () => {
    const { upstream, publish } = await startUpstream();
    const image = sampleImage([patterned(4_000_000)]);
    await publish('app', 'v1', image);
    const { digest } = layerOf(image);
    const first = await startProxy(upstream.url);
    await first.get('app/manifests/v1');
    upstream.fault = ({ path }) => (path.includes(digest) ? { kind: 'stall', atByte: 3_000_000 } : undefined);
    const reading = new AbortController();
    const response = await first.get(`app/blobs/${digest}`, { signal: reading.signal });
    const reader = response.body?.getReader();
    for (let got = 0; got < 2_000_000; ) got += (await reader?.read())?.value?.length ?? Number.NaN;
    reading.abort();
    await first.stop();
    upstream.fault = () => undefined;
    const second = await startProxy(upstream.url);
    expect(digestOf(await (await second.get(`app/blobs/${digest}`)).bytes())).toBe(digest);
    const ranges = upstream.requests
      .filter(({ path }) => path.includes(digest))
      .map(({ headers }) => headers.get('range'));
    expect(ranges[0]).toBeNull();
    expect(Number(/^bytes=(\d+)-$/.exec(ranges.at(-1) ?? '')?.[1])).toBeGreaterThan(1_000_000);
  });

  test('a tag is asked for again by HEAD when it is no longer fresh, and followed when it moved', async () => {
    const { upstream, publish } = await startUpstream();
    const [old, next] = [sampleImage(['old']), sampleImage(['next'])];
    await publish('app', 'latest', old);
    const proxy = await startProxy(upstream.url, { freshMs: 0 });
    const digest = async () => (await proxy.get('app/manifests/latest')).headers.get('docker-content-digest');
    expect(await digest()).toBe(old.manifest.digest);
    expect(await digest()).toBe(old.manifest.digest);
    expect([gets(upstream, 'manifests/'), gets(upstream, 'manifests/', 'HEAD')]).toEqual([1, 1]);
    await publish('app', 'latest', next);
    expect(await digest()).toBe(next.manifest.digest);
    expect((await proxy.get(`app/manifests/${old.manifest.digest}`)).status).toBe(200);
  });

  test('what is stale serves while the upstream is down, and says so; what it has not is 503', async () => {
    const { upstream, publish } = await startUpstream();
    const image = sampleImage(['x']);
    await publish('app', 'latest', image);
    const proxy = await startProxy(upstream.url, { freshMs: 0 });
    await proxy.get('app/manifests/latest');
    await upstream.close();
    const stale = await proxy.get('app/manifests/latest');
    expect([stale.status, stale.headers.get('warning')]).toEqual([200, '110 - "Response is Stale"']);
    const missing = await proxy.get('app/manifests/other');
    expect([missing.status, await missing.text()]).toEqual([
      503,
      expect.stringContaining('"code":"UNAVAILABLE"'),
    ]);
  });

  test('a tag that the upstream has removed is gone here too', async () => {
    const { upstream, publish } = await startUpstream();
    const image = sampleImage(['x']);
    await publish('app', 'latest', image);
    const proxy = await startProxy(upstream.url, { freshMs: 0 });
    await proxy.get('app/manifests/latest');
    await fetch(`${upstream.url}/v2/app/manifests/latest`, { method: 'DELETE' });
    expect((await proxy.get('app/manifests/latest')).status).toBe(404);
    expect((await proxy.get('app/manifests/never')).status).toBe(404);
  });

  test('keeps within its size: what was not used for longest goes, what was pushed stays', async () => {
    const { upstream, publish } = await startUpstream();
    const images = [1, 2, 3].map((seed) => sampleImage([patterned(400_000, seed)]));
    for (const [index, image] of images.entries()) await publish('app', `v${index}`, image);
    const proxy = await startProxy(upstream.url, { maxBytes: 1_000_000, minIdleMs: 0 });
    const pull = async (index: number) => {
      await (await proxy.get(`app/manifests/v${index}`)).bytes();
      await (await proxy.get(`app/blobs/${layerOf(images[index] ?? sampleImage([])).digest}`)).bytes();
      await Bun.sleep(5);
    };
    await pull(0);
    await pull(1);
    await pull(0);
    await pull(2);
    const here = await Promise.all(images.map((image) => proxy.root.content.size(layerOf(image).digest)));
    expect(here).toEqual([400_000, undefined, 400_000]);
    // An image that was pushed on top of a cached layer names it: it doesn't go any more.
    const pushed = images[0] ?? sampleImage([]);
    await proxy.get(`mine/blobs/uploads/?digest=${pushed.config.digest}`, {
      method: 'POST',
      body: pushed.config.bytes,
    });
    await proxy.get(`mine/blobs/uploads/?mount=${layerOf(pushed).digest}&from=app`, { method: 'POST' });
    const put = await proxy.get('mine/manifests/v1', {
      method: 'PUT',
      body: pushed.manifest.bytes,
      headers: { 'content-type': OCI_MANIFEST },
    });
    expect(put.status).toBe(201);
    await pull(1);
    await pull(2);
    await pull(1);
    expect(await proxy.root.content.size(layerOf(pushed).digest)).toBe(400_000);
    expect((await proxy.get(`mine/blobs/${layerOf(pushed).digest}`)).status).toBe(200);
  });

  test('a blob larger than the whole cache is passed on and not kept', async () => {
    const { upstream, publish } = await startUpstream();
    const image = sampleImage([patterned(500_000)]);
    await publish('app', 'v1', image);
    const proxy = await startProxy(upstream.url, { maxBytes: 100_000 });
    await proxy.get('app/manifests/v1');
    const { digest, bytes } = layerOf(image);
    expect(digestOf(await (await proxy.get(`app/blobs/${digest}`)).bytes())).toBe(digest);
    const part = await proxy.get(`app/blobs/${digest}`, { headers: { range: 'bytes=10-19' } });
    expect([part.status, await part.bytes()]).toEqual([206, bytes.slice(10, 20)]);
    expect(await proxy.root.content.size(digest)).toBeUndefined();
  });

  test('what no manifest names is kept within the cache’s size too, and what broke off counts', async () => {
    const { upstream, publish } = await startUpstream();
    const images = [1, 2].map((seed) => sampleImage([patterned(400_000, seed)]));
    const large = sampleImage([patterned(900_000, 3)]);
    for (const [index, image] of [...images, large].entries()) await publish('app', `v${index}`, image);
    const proxy = await startProxy(upstream.url, { maxBytes: 500_000, minIdleMs: 0 });
    const whole = proxy.get(`app/blobs/${layerOf(large).digest}`).then((answer) => answer.bytes());
    expect(await whole.catch(() => 'broken')).toBe('broken');
    const ingests = () => readdirSync(join(proxy.root.content.root, 'ingest')).length;
    await eventually(() => ingests() === 0);
    const [first, second] = images.map((image) => layerOf(image).digest);
    upstream.fault = ({ path }) =>
      path.includes(first ?? '') ? { kind: 'stall', atByte: 300_000 } : undefined;
    const reading = new AbortController();
    const broken = await proxy.get(`app/blobs/${first}`, { signal: reading.signal });
    await broken.body?.getReader().read();
    reading.abort();
    await eventually(() => upstream.open === 0);
    expect(ingests()).toBe(1);
    expect(await (await proxy.get(`app/blobs/${second}`)).bytes()).toHaveLength(400_000);
    await eventually(() => ingests() === 0);
  });

  test.each([
    ['cached', 1 << 30],
    ['passed on', 100_000],
  ])('a range that is none leaves nothing open at the upstream: %s', async (_, maxBytes) => {
    const { upstream, publish } = await startUpstream();
    const image = sampleImage([patterned(8_000_000)]);
    await publish('app', 'v1', image);
    const proxy = await startProxy(upstream.url, { maxBytes });
    await proxy.get('app/manifests/v1');
    const { digest } = layerOf(image);
    upstream.fault = ({ path }) => (path.includes(digest) ? { kind: 'stall', atByte: 1_000_000 } : undefined);
    for (let i = 0; i < 5; i++) {
      const answer = await proxy.get(`app/blobs/${digest}`, { headers: { range: 'bytes=99000000-' } });
      expect(answer.status).toBe(416);
    }
    await eventually(() => upstream.open === 0);
    expect(await proxy.root.content.size(digest)).toBeUndefined();
  });

  test('what the store has already is not fetched', async () => {
    const { upstream, publish } = await startUpstream();
    const image = sampleImage([patterned(10_000)]);
    await publish('app', 'v1', image);
    const proxy = await startProxy(upstream.url);
    await proxy.root.content.write(layerOf(image).bytes);
    await proxy.get('app/manifests/v1');
    expect(digestOf(await (await proxy.get(`app/blobs/${layerOf(image).digest}`)).bytes())).toBe(
      layerOf(image).digest,
    );
    expect(gets(upstream, 'blobs/')).toBe(0);
    // Of a repository that doesn't name it, it is no part.
    expect((await proxy.get(`other/blobs/${layerOf(image).digest}`)).status).toBe(404);
  });

  test('an image pushed on top of layers that only the upstream has is whole', async () => {
    const { upstream, publish } = await startUpstream();
    const base = sampleImage([patterned(200_000)]);
    await publish('app', 'base', base);
    const proxy = await startProxy(upstream.url);
    await proxy.get('app/manifests/base');
    const layer = layerOf(base);
    // A pushing client asks first, and is told that it may leave the upload out.
    expect((await proxy.get(`app/blobs/${layer.digest}`, { method: 'HEAD' })).status).toBe(200);
    const manifest = blobOf(new TextDecoder().decode(base.manifest.bytes).replace('\n', '\n '));
    const put = await proxy.get('app/manifests/mine', {
      method: 'PUT',
      body: manifest.bytes,
      headers: { 'content-type': OCI_MANIFEST },
    });
    expect(put.status).toBe(201);
    await upstream.close();
    expect(await (await proxy.get('app/manifests/mine')).bytes()).toEqual(manifest.bytes);
    expect(digestOf(await (await proxy.get(`app/blobs/${layer.digest}`)).bytes())).toBe(layer.digest);
    expect(proxy.root.pushed.has('app', layer.digest)).toBe(true);
  });

  test('lists what the upstream has beside what is here, and what is here when it is down', async () => {
    const { upstream, publish } = await startUpstream();
    const image = sampleImage(['x']);
    for (const tag of ['a', 'b']) await publish('app', tag, image);
    const { digest, bytes } = image.manifest;
    const subject = { mediaType: OCI_MANIFEST, digest, size: bytes.length };
    const signature = sampleImage(['signature'], OCI_MANIFEST, { subject });
    await publish('app', 'sig', signature);
    const proxy = await startProxy(upstream.url);
    await proxy.get('app/manifests/b');
    const tags = async () => await (await proxy.get('app/tags/list')).json();
    const referrers = async () =>
      ((await (await proxy.get(`app/referrers/${digest}`)).json()) as { manifests: object[] }).manifests;
    expect(await tags()).toEqual({ name: 'app', tags: ['a', 'b', 'sig'] });
    expect(await referrers()).toMatchObject([{ digest: signature.manifest.digest }]);
    expect((await proxy.get('nosuch/tags/list')).status).toBe(404);
    await upstream.close();
    expect(await tags()).toEqual({ name: 'app', tags: ['b'] });
    expect(await referrers()).toEqual([]);
  }, 20_000);

  test('a registry that is its own upstream finds nothing, at once', async () => {
    const port = await freePort();
    const proxy = await startProxy(`http://127.0.0.1:${port}`, { port });
    expect((await proxy.get('app/manifests/v1')).status).toBe(404);
    expect((await proxy.get(`app/blobs/${blobOf('x').digest}`)).status).toBe(404);
    expect((await proxy.get('app/tags/list')).status).toBe(404);
  });

  test('the empty blob', async () => {
    const { upstream, publish } = await startUpstream();
    const image = sampleImage(['']);
    await publish('app', 'v1', image);
    const proxy = await startProxy(upstream.url);
    await proxy.get('app/manifests/v1');
    for (let round = 0; round < 2; round++) {
      const response = await proxy.get(`app/blobs/${layerOf(image).digest}`);
      expect([response.status, (await response.bytes()).length]).toEqual([200, 0]);
    }
  });

  test('shows the upstream its credentials, and nobody else', async () => {
    const hash = await Bun.password.hash('s3cret', { algorithm: 'bcrypt', cost: 4 });
    writeFileSync(join(directory, 'users'), `bot:${hash}\n`);
    const authenticator = await HtpasswdAuthenticator.open(join(directory, 'users'));
    const { upstream, publish } = await startUpstream({
      access: { authenticator, failures: new FailureLimit() },
    });
    await publish('app', 'v1', sampleImage(['x']));
    writeFileSync(join(directory, 'credentials'), 'bot:s3cret\n');
    const logged: string[] = [];
    const note = (message: string, fields?: object) =>
      void logged.push(`${message} ${JSON.stringify(fields)}`);
    const logger = { ...silentLogger, warn: note, error: note, info: note };
    const proxy = await startProxy(upstream.url, { credentialsFile: join(directory, 'credentials'), logger });
    expect((await proxy.get('app/manifests/v1')).status).toBe(200);
    await proxy.stop();
    writeFileSync(join(directory, 'credentials'), 'bot:wr0ng\n');
    const other = await startProxy(upstream.url, {
      credentialsFile: join(directory, 'credentials'),
      freshMs: 0,
      logger,
    });
    expect((await other.get('app/manifests/v2')).status).toBe(404);
    expect(logged.join('\n')).not.toContain('wr0ng');
  });

  test('of docker-registry, with names below a prefix', async () => {
    if (!hasDockerRegistry()) return;
    const upstream = await startDockerRegistry();
    closers.push(() => upstream.close());
    const image = sampleImage([patterned(1_200_000), 'small']);
    await putImage(upstream.url, { repository: 'team/app', tag: 'v1' }, image);
    const proxy = await startProxy(`${upstream.url}/team`, { freshMs: 0 });
    for (let round = 0; round < 2; round++) {
      expect(await (await proxy.get('app/manifests/v1')).bytes()).toEqual(image.manifest.bytes);
      for (const { digest } of [image.config, ...image.layers])
        expect(digestOf(await (await proxy.get(`app/blobs/${digest}`)).bytes())).toBe(digest);
    }
    expect((await proxy.get('app/manifests/nosuch')).status).toBe(404);
    expect((await proxy.get(`app/blobs/${blobOf('nosuch').digest}`)).status).toBe(404);
    await upstream.close();
    expect((await proxy.get('app/manifests/v1')).headers.get('warning')).toContain('110');
  }, 20_000);

  test('an interrupted start leaves nothing in the way', async () => {
    const { upstream, publish } = await startUpstream();
    await publish('app', 'v1', sampleImage(['x']));
    const proxy = await startProxy(upstream.url);
    await proxy.get('app/manifests/v1');
    await proxy.stop();
    // A cached entry whose bytes are gone: as after a crash between the two.
    const blobs = join(directory, 'registry/content/blobs/sha256');
    for (const name of readdirSync(blobs)) rmSync(join(blobs, name));
    const again = await startProxy(upstream.url);
    expect((await again.get('app/manifests/v1')).status).toBe(200);
  });
});
