import { beforeEach, expect, test } from 'bun:test';
import { failureOf } from '../../../../test/support/failure-of.ts';
import { EngineError } from '../../../errors/engine-error.ts';
import { silentLogger } from '../../../errors/logger.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { RegistryClient } from '../../client/registry-client.ts';
import { blobOf, patterned, type SampleImage, sampleImage } from '../../testing/sample-image.ts';
import { OwnBlobCollector } from '../blob-collector.ts';
import { MemoryBlobStore } from '../memory-blob-backend.ts';
import { createRegistryHandler } from '../registry-handler.ts';
import { RepositoryIndex } from '../repository-index.ts';
import { serveRegistry } from '../serve-registry.ts';
import { StoreBlobBackend } from '../store-blob-backend.ts';
import { BlobCache } from './blob-cache.ts';
import { ingestKey } from './blob-fill.ts';
import { ProxyBackend } from './proxy-backend.ts';
import { Upstream } from './upstream.ts';

const PIECE = 50_000;
const source = { baseUrl: 'http://upstream', mirror: false };

/** How the upstream sends a blob: whole in pieces, so much and then nothing, zeros without end, an answer after a while, or none at all. */
type Sending = { stopAt?: number; endless?: boolean; silent?: boolean; afterMs?: number };

let images: Map<string, SampleImage>;
let sending: Sending;
/** Of the transfers that the upstream was asked for: those that nobody has ended. */
let open: Set<object>;
let asked: number;
beforeEach(() => {
  [images, sending, open, asked] = [new Map(), {}, new Set(), 0];
});

function bytesOf(digest: Digest): Uint8Array {
  for (const { config, layers } of images.values())
    for (const blob of [config, ...layers]) if (blob.digest === digest) return blob.bytes;
  throw new EngineError('not-found', 'unknown blob');
}

async function sentBlob(digest: Digest, { signal, start = 0 }: { signal: AbortSignal; start?: number }) {
  asked++;
  const bytes = sending.endless === true ? new Uint8Array() : bytesOf(digest);
  const transfer = {};
  open.add(transfer);
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => undefined);
  const end = () => {
    open.delete(transfer);
    ended.reject(signal.reason ?? new Error('cancelled'));
  };
  signal.addEventListener('abort', end);
  if (signal.aborted) end();
  if (sending.silent === true) await ended.promise;
  if (sending.afterMs !== undefined) await Bun.sleep(sending.afterMs);
  let at = start;
  const { stopAt = bytes.length, endless = false } = sending;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        signal.throwIfAborted();
        const piece = endless ? new Uint8Array(PIECE) : bytes.slice(at, Math.min(at + PIECE, stopAt));
        at += piece.length;
        if (piece.length > 0) return controller.enqueue(piece);
        if (stopAt < bytes.length) await ended.promise;
        open.delete(transfer);
        controller.close();
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
  return { start, body, source, refuse: () => [] };
}

const client: RegistryClient = {
  blob: (_, digest, options) => sentBlob(digest, options),
  head: async () => undefined,
  manifest: async ({ path, tag = '' }) => {
    const { manifest, mediaType } = images.get(`${path}:${tag}`) ?? sampleImage([]);
    return {
      descriptor: { mediaType, digest: manifest.digest, size: manifest.bytes.length },
      bytes: manifest.bytes,
      source,
    };
  },
};

async function openProxy(maxBytes: number, store = new MemoryBlobStore(), index = new RepositoryIndex()) {
  const [pushedIndex, logger] = [new RepositoryIndex(), silentLogger];
  const keeper = new OwnBlobCollector(store, () => pushedIndex.digests().union(index.digests()));
  const pushed = new StoreBlobBackend({ store, index: pushedIndex, keeper });
  const named = () => pushedIndex.digests();
  const cache = await BlobCache.open({ store, index, keeper, pushed: named, maxBytes, minIdleMs: 60_000 });
  const upstream = new Upstream({
    client,
    catalog: { tags: async () => [], referrers: async () => [] },
    domain: 'upstream.test',
  });
  const backend = new ProxyBackend({
    store,
    keeper,
    pushed,
    index,
    cache,
    upstream,
    freshMs: 60_000,
    logger,
  });
  const handler = createRegistryHandler(backend);
  const call = (path: string, init: RequestInit = {}) =>
    handler(new Request(`http://registry/v2/${path}`, init));
  /** Whose manifest is fetched has blobs of known sizes. */
  const add = async (name: string, image: SampleImage) => {
    images.set(`${name}:v1`, image);
    await call(`${name}/manifests/v1`);
    return `${name}/blobs/${layerOf(image).digest}`;
  };
  return { store, index, cache, backend, handler, call, add };
}

const layerOf = (image: SampleImage) => image.layers[0] ?? image.config;
const layer = (size: number, seed = 1) => sampleImage([patterned(size, seed)]);
const unfinishedBytes = ({ ingests }: MemoryBlobStore) =>
  [...ingests.values()].flat().reduce((sum, { length }) => sum + length, 0);

async function eventually(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; !isTrue(); tries++) {
    if (tries > 400) throw new Error('never happened');
    await Bun.sleep(5);
  }
}

/** As much of a body as comes before the reader leaves. */
async function readSome(response: Response, bytes: number): Promise<void> {
  const reader = response.body?.getReader();
  for (let got = 0; got < bytes; ) got += (await reader?.read())?.value?.length ?? Number.NaN;
  await reader?.cancel();
}

test.each([1_000_000, 1000])(
  'ranges behind the end ask the upstream for nothing (a cache of %d bytes)',
  async (max) => {
    const { call, add } = await openProxy(max);
    const path = await add('app', layer(300_000));
    const headers = { range: 'bytes=300000-' };
    const answers = await Promise.all(Array.from({ length: 50 }, () => call(path, { headers })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([416]));
    expect([asked, open.size]).toEqual([0, 0]);
  },
);

test.each([
  ['GET', 1_000_000],
  ['GET', 1000],
  ['HEAD', 1_000_000],
])(
  'a client that vanishes before the upstream answers a %s takes the request with it (a cache of %d bytes)',
  async (method, max) => {
    const proxy = await openProxy(max);
    const image = layer(300_000);
    // A HEAD of a blob of known size asks nobody.
    if (method === 'GET') await proxy.add('app', image);
    images.set('other:v1', image);
    sending = { silent: true };
    const leaving = new AbortController();
    const answer = proxy.call(`app/blobs/${layerOf(image).digest}`, { method, signal: leaving.signal });
    await eventually(() => open.size === 1);
    leaving.abort();
    await eventually(() => open.size === 0);
    await answer;
  },
);

test('a client that vanishes while the upstream sends nothing more takes the transfer with it, unless another reads', async () => {
  const { call, add } = await openProxy(1_000_000);
  const path = await add('app', layer(300_000));
  sending = { stopAt: 100_000 };
  const [first, second] = [new AbortController(), new AbortController()];
  const answers = [await call(path, { signal: first.signal }), await call(path, { signal: second.signal })];
  const reading = answers.map((answer) => answer.bytes().catch(() => undefined));
  await Bun.sleep(20);
  expect(asked).toBe(1);
  first.abort();
  await Bun.sleep(20);
  expect(open.size).toBe(1);
  second.abort();
  await eventually(() => open.size === 0);
  await Promise.all(reading);
});

test.each(['GET', 'HEAD'])(
  'a connection that is closed ends what a %s began at the upstream',
  async (method) => {
    const { handler } = await openProxy(1_000_000);
    const image = layer(300_000);
    images.set('other:v1', image);
    const registry = serveRegistry(handler);
    try {
      for (const how of [{ silent: true }, ...(method === 'GET' ? [{ stopAt: 100_000 }] : [])]) {
        sending = how;
        const leaving = new AbortController();
        const url = `${registry.url}/v2/app/blobs/${layerOf(image).digest}`;
        const left = fetch(url, { method, signal: leaving.signal }).then((response) => response.bytes());
        await eventually(() => open.size === 1);
        await Bun.sleep(20);
        leaving.abort();
        await failureOf(left);
        await eventually(() => open.size === 0);
      }
    } finally {
      await registry.close();
    }
  },
);

test('who leaves while others wait for the upstream leaves them the transfer', async () => {
  const { call, add } = await openProxy(1_000_000);
  const image = layer(300_000);
  const path = await add('app', image);
  sending = { afterMs: 30 };
  const leaving = new AbortController();
  const left = call(path, { signal: leaving.signal });
  const stays = call(path);
  await eventually(() => asked === 1);
  await Bun.sleep(10);
  leaving.abort();
  expect(await (await stays).bytes()).toEqual(layerOf(image).bytes);
  await left;
  expect(asked).toBe(1);
});

test('a transfer that was given up is begun again by the next client', async () => {
  const { call, add } = await openProxy(1_000_000);
  const image = layer(300_000);
  const path = await add('app', image);
  sending = { silent: true };
  const leaving = new AbortController();
  const left = call(path, { signal: leaving.signal });
  await eventually(() => open.size === 1);
  sending = {};
  leaving.abort();
  expect(await (await call(path)).bytes()).toEqual(layerOf(image).bytes);
  await left;
});

test('of a blob of unknown size no more is kept than the cache holds; asked for again, it is passed on', async () => {
  const { store, call } = await openProxy(400_000);
  sending = { endless: true };
  const path = `app/blobs/${blobOf('endless').digest}`;
  expect(await failureOf((await call(path)).bytes())).toMatchObject({ code: 'size-exceeded' });
  expect([unfinishedBytes(store), open.size]).toEqual([0, 0]);
  await readSome(await call(path), 2_000_000);
  expect([unfinishedBytes(store), open.size]).toEqual([0, 0]);
});

test('blobs of unknown size that come at once share what the cache holds', async () => {
  const { store, call } = await openProxy(400_000);
  sending = { endless: true };
  let most = 0;
  const reading = Array.from({ length: 6 }, async (_, index) => {
    const response = await call(`app/blobs/${blobOf(`endless ${index}`).digest}`);
    const reader = response.body?.getReader();
    for (let got = 0; got < 1_000_000; ) {
      got += (await reader?.read())?.value?.length ?? Number.NaN;
      most = Math.max(most, unfinishedBytes(store));
    }
  });
  await Promise.allSettled(reading);
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(400_000);
});

test('what is being fetched takes room; what finds none is passed on and not kept', async () => {
  const { store, call, add } = await openProxy(500_000);
  const [first, second] = [layer(300_000, 1), layer(300_000, 2)];
  const [held, passed] = [await add('a', first), await add('b', second)];
  sending = { stopAt: 100_000 };
  const leaving = new AbortController();
  const holding = call(held, { signal: leaving.signal }).then((response) => response.bytes());
  await eventually(() => open.size === 1);
  sending = {};
  expect(await (await call(passed)).bytes()).toEqual(layerOf(second).bytes);
  expect(await store.size(layerOf(second).digest)).toBeUndefined();
  leaving.abort();
  await holding.catch(() => undefined);
  expect(await (await call(passed)).bytes()).toEqual(layerOf(second).bytes);
  expect(await store.size(layerOf(second).digest)).toBe(300_000);
});

test('what broken transfers leave counts, and goes before there is too much of it', async () => {
  const { store, call, add } = await openProxy(1_000_000);
  sending = { stopAt: 350_000 };
  for (let seed = 1; seed <= 8; seed++) {
    const path = await add(`app${seed}`, layer(400_000, seed));
    await readSome(await call(path), 300_000);
    await eventually(() => open.size === 0);
    await Bun.sleep(5);
  }
  expect(unfinishedBytes(store)).toBeLessThanOrEqual(1_000_000);
  // The newest are gone on with.
  const bytes = store.ingests.get(ingestKey(layerOf(layer(400_000, 8)).digest));
  expect(bytes).toBeDefined();
});

test('what broken transfers leave counts over a restart, too', async () => {
  const before = await openProxy(1_000_000);
  const image = layer(400_000);
  const path = await before.add('app', image);
  sending = { stopAt: 350_000 };
  await readSome(await before.call(path), 300_000);
  await eventually(() => open.size === 0);
  await before.backend.close();
  expect(unfinishedBytes(before.store)).toBeGreaterThan(200_000);
  const after = await openProxy(200_000, before.store, before.index);
  expect(unfinishedBytes(before.store)).toBe(0);
  expect(after.index.has('app', layerOf(image).digest)).toBe(false);
});

test('what the upstream has not leaves nothing here', async () => {
  const { store, call } = await openProxy(1_000_000);
  expect((await call(`app/blobs/${blobOf('nowhere').digest}`)).status).toBe(404);
  expect(store.ingests.size).toBe(0);
});

test('an image that is pushed on top of a layer larger than the cache is whole', async () => {
  const { call, add, store } = await openProxy(100_000);
  const image = layer(300_000);
  await add('app', image);
  const body = image.manifest.bytes;
  const headers = { 'content-type': image.mediaType };
  expect((await call('app/manifests/mine', { method: 'PUT', body, headers })).status).toBe(201);
  expect(await store.size(layerOf(image).digest)).toBe(300_000);
});
