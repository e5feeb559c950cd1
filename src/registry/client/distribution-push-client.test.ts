import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseReference } from '../../oci/reference.ts';
import { runChecked } from '../../sys/spawn.ts';
import { MemoryBlobBackend } from '../server/memory-blob-backend.ts';
import { createRegistryHandler } from '../server/registry-handler.ts';
import { plainConfig } from '../testing/contract.ts';
import {
  type Fault,
  type FaultyRegistry,
  type SeenRequest,
  startFaultyRegistry,
} from '../testing/faulty-registry.ts';
import { blobOf, OCI_MANIFEST, patterned, sampleImage } from '../testing/sample-image.ts';
import { DistributionPushClient } from './distribution-push-client.ts';

const blob = blobOf(patterned(300_000, 5));
const timing = { retryBaseMs: 1, retryMaxMs: 5, originHeadMs: 2000, mirrorHeadMs: 2000 };
let backend: MemoryBlobBackend;
let registry: FaultyRegistry;

beforeEach(async () => {
  backend = new MemoryBlobBackend();
  registry = await startFaultyRegistry(createRegistryHandler(backend));
});
afterEach(() => registry.close());

const options = () => ({ signal: new AbortController().signal });
const target = (text = 'app:v1') => parseReference(`127.0.0.1:${registry.port}/${text}`);
const client = () => new DistributionPushClient(plainConfig, { timing });
const open = (from: number) => new Blob([blob.bytes.subarray(from)]).stream();
const upload = (chunkBytes?: number) =>
  client().uploadBlob(
    target(),
    { descriptor: { digest: blob.digest, size: blob.bytes.length }, open },
    { ...options(), ...(chunkBytes === undefined ? {} : { chunkBytes }) },
  );

/** `fault` for the nth request that matches. */
function faultAt(method: string, nth: number, fault: Fault): void {
  let count = 0;
  registry.fault = (request: SeenRequest) =>
    request.method === method && ++count === nth ? fault : undefined;
}

async function isThere(): Promise<boolean> {
  return backend.hasBlob('app', blob.digest);
}

test('a session that is a file of ours is not touched', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sampan-session-'));
  try {
    const fifo = join(directory, 'fifo');
    await runChecked(['mkfifo', fifo]);
    // Whoever opens it for reading lets this end.
    const writer = Bun.spawn(['sh', '-c', `echo > ${fifo}`]);
    const location = { location: `file://${fifo}` };
    faultAt('POST', 1, { kind: 'answer', status: 202, headers: location });
    expect(await client().mountBlob(target(), { digest: blob.digest, from: 'other' }, options())).toBe(false);
    await Bun.sleep(50);
    expect(writer.exitCode).toBeNull();
    writer.kill();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

describe('uploadBlob()', () => {
  test.each<[string, string, Fault]>([
    ['the session is refused at first', 'POST', { kind: 'answer', status: 503 }],
    ['the bytes break off', 'PUT', { kind: 'reset' }],
    ['the registry is busy', 'PUT', { kind: 'answer', status: 429, headers: { 'retry-after': '0' } }],
    ['the answer is lost', 'PUT', { kind: 'lost' }],
  ])('in one piece arrives although %s', async (_name, method, fault) => {
    faultAt(method, 1, fault);
    await upload();
    expect(await isThere()).toBe(true);
  });

  test.each<[string, Fault]>([
    ['a piece breaks off', { kind: 'reset' }],
    ['the answer to a piece is lost', { kind: 'lost' }],
    ['a piece is out of step', { kind: 'answer', status: 416 }],
  ])('in pieces goes on when %s', async (_name, fault) => {
    faultAt('PATCH', 2, fault);
    await upload(100_000);
    expect(await isThere()).toBe(true);
    expect(registry.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  test('gives up in the end, and takes its session back', async () => {
    registry.fault = ({ method }) => (method === 'PUT' ? { kind: 'answer', status: 500 } : undefined);
    expect(await upload().catch((error: unknown) => error)).toMatchObject({ kind: 'unavailable' });
    const count = (wanted: string) => registry.requests.filter(({ method }) => method === wanted).length;
    expect([count('POST'), count('DELETE')]).toEqual([5, 5]);
  });

  test('does not repeat what was refused', async () => {
    registry.fault = ({ method }) => (method === 'POST' ? { kind: 'answer', status: 403 } : undefined);
    expect(await upload().catch((error: unknown) => error)).toMatchObject({
      kind: 'forbidden',
      message: 'denied: requested access to the resource is denied',
    });
    expect(registry.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  test('an abort takes the session back, and lets go of the bytes', async () => {
    registry.fault = ({ method }) => (method === 'PUT' ? { kind: 'silent' } : undefined);
    const controller = new AbortController();
    let cancelled = false;
    const slow = () =>
      new ReadableStream<Uint8Array>({
        async pull(stream) {
          stream.enqueue(blob.bytes.slice(0, 1000));
          await Bun.sleep(20);
        },
        cancel: () => void (cancelled = true),
      });
    setTimeout(() => controller.abort(new Error('enough')), 100);
    const descriptor = { digest: blob.digest, size: blob.bytes.length };
    const sent = client().uploadBlob(target(), { descriptor, open: slow }, { signal: controller.signal });
    expect(await sent.catch((error: unknown) => error)).toMatchObject({ message: 'enough' });
    const begun = registry.requests.filter(({ method }) => method === 'POST').length;
    expect(registry.requests.filter(({ method }) => method === 'DELETE')).toHaveLength(begun);
    expect([begun, cancelled]).toEqual([1, true]);
  });

  test.each<[string, string, Fault, number]>([
    ['whose session is gone', 'PATCH', { kind: 'answer', status: 404 }, 2],
    ['that is busy', 'PATCH', { kind: 'answer', status: 503 }, 1],
    ['that is busy at the end', 'PUT', { kind: 'answer', status: 503 }, 2],
  ])('in pieces goes on at a registry %s', async (_name, method, fault, sessions) => {
    faultAt(method, 1, fault);
    await upload(100_000);
    expect(await isThere()).toBe(true);
    expect(registry.requests.filter((request) => request.method === 'POST')).toHaveLength(sessions);
  });

  test('sends no smaller pieces than the registry wants', async () => {
    registry.fault = ({ method }) =>
      method === 'POST' ? { kind: 'headers', headers: { 'oci-chunk-min-length': '200000' } } : undefined;
    await upload(1000);
    expect(await isThere()).toBe(true);
    const pieces = registry.requests.filter(({ method }) => method === 'PATCH');
    expect(pieces.map(({ headers }) => headers.get('content-range'))).toEqual(['0-199999', '200000-299999']);
  });

  test.each([undefined, 100_000])(
    'goes on with a new token when one expires (pieces of %p)',
    async (chunkBytes) => {
      let issued = 0;
      let sent = 0;
      const tokens = Bun.serve({
        hostname: '127.0.0.1',
        port: 0,
        fetch: () => Response.json({ token: `token-${++issued}`, expires_in: 3600 }),
      });
      registry.fault = ({ method, headers }) => {
        const isFirst = headers.get('authorization') === 'Bearer token-1';
        const isBytes = method === 'PUT' || method === 'PATCH';
        if (isBytes) sent++;
        // The first token is good until bytes have begun to flow.
        const ok = issued > 1 ? !isFirst && headers.has('authorization') : isFirst && !(isBytes && sent > 0);
        const challenge = `Bearer realm="http://127.0.0.1:${tokens.port}/token",service="reg"`;
        return ok ? undefined : { kind: 'answer', status: 401, headers: { 'www-authenticate': challenge } };
      };
      await upload(chunkBytes);
      expect([await isThere(), issued]).toEqual([true, 2]);
      await tokens.stop(true);
    },
  );

  test('a refusal that stays ends it', async () => {
    registry.fault = ({ method }) => (method === 'PUT' ? { kind: 'answer', status: 401 } : undefined);
    expect(await upload().catch((error: unknown) => error)).toMatchObject({ kind: 'unauthorized' });
    expect(registry.requests.filter(({ method }) => method === 'PUT')).toHaveLength(2);
  });

  test('tells of retries', async () => {
    faultAt('PUT', 1, { kind: 'answer', status: 503, headers: { 'retry-after': '0' } });
    const pauses: number[] = [];
    await client().uploadBlob(
      target(),
      { descriptor: { digest: blob.digest, size: blob.bytes.length }, open },
      { ...options(), onRetry: (pauseMs) => void pauses.push(pauseMs) },
    );
    expect(pauses).toEqual([0]);
  });

  test('a session on another host gets no credentials', async () => {
    const other = await startFaultyRegistry(createRegistryHandler(new MemoryBlobBackend()));
    other.fault = ({ headers }) =>
      headers.has('authorization')
        ? undefined
        : { kind: 'answer', status: 401, headers: { 'www-authenticate': 'Basic realm="give me"' } };
    registry.fault = ({ method }) =>
      method === 'POST'
        ? { kind: 'answer', status: 202, headers: { location: `${other.url}/v2/x/blobs/uploads/1` } }
        : undefined;
    const sent = client().uploadBlob(
      target(),
      { descriptor: { digest: blob.digest, size: blob.bytes.length }, open },
      { ...options(), credentials: { username: 'me', password: 's3cret' } },
    );
    expect(await sent.catch((error: unknown) => error)).toMatchObject({ code: 'registry-denied' });
    expect(other.requests.some(({ headers }) => headers.has('authorization'))).toBe(false);
    await other.close();
  });

  test('an abort ends it with its reason', async () => {
    registry.fault = ({ method }) => (method === 'PUT' ? { kind: 'silent' } : undefined);
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 50);
    const descriptor = { digest: blob.digest, size: blob.bytes.length };
    const sent = client().uploadBlob(target(), { descriptor, open }, { signal: controller.signal });
    expect(await sent.catch((error: unknown) => error)).toBe(reason);
  });
});

describe('mountBlob()', () => {
  test.each([401, 403, 404, 405])('a registry that answers %p lets the caller upload', async (status) => {
    registry.fault = ({ method }) => (method === 'POST' ? { kind: 'answer', status } : undefined);
    expect(await client().mountBlob(target(), { digest: blob.digest, from: 'other' }, options())).toBe(false);
  });

  test('takes the session back that it got instead', async () => {
    expect(await client().mountBlob(target(), { digest: blob.digest, from: 'other' }, options())).toBe(false);
    expect(registry.requests.map(({ method }) => method)).toEqual(['GET', 'POST', 'DELETE']);
  });
});

describe('putManifest()', () => {
  const image = sampleImage(['stored']);
  const put = () =>
    client().putManifest(target(), { mediaType: OCI_MANIFEST, bytes: image.manifest.bytes }, options());

  test('tries again while the registry is busy', async () => {
    registry.fault = ({ method }) => {
      const puts = registry.requests.filter((request) => request.method === 'PUT').length;
      if (method !== 'PUT') return undefined;
      return puts === 1 ? { kind: 'answer', status: 503 } : { kind: 'answer', status: 201 };
    };
    expect(await put()).toBe(image.manifest.digest);
  });

  test.each([
    ['names the tag beside a digest that is not sha256', true],
    ['puts it under the tag again where the registry does not know that', false],
  ])('%s', async (_what, isKnown) => {
    const { digest } = blobOf(image.manifest.bytes, 'sha512');
    const headers: Record<string, string> = isKnown
      ? { 'oci-tag': 'v1', 'docker-content-digest': digest }
      : {};
    registry.fault = ({ method }) =>
      method === 'PUT' ? { kind: 'answer', status: 201, headers } : undefined;
    const manifest = { mediaType: OCI_MANIFEST, bytes: image.manifest.bytes };
    const stored = await client().putManifest({ ...target('app:v1'), digest }, manifest, options());
    expect(stored).toBe(isKnown ? digest : image.manifest.digest);
    const paths = registry.requests.filter(({ method }) => method === 'PUT').map(({ path }) => path);
    const both = [`/v2/app/manifests/${digest}?tag=v1`, '/v2/app/manifests/v1'];
    expect(paths).toEqual(isKnown ? both.slice(0, 1) : both);
  });

  test('finds out when something else was stored', async () => {
    const headers = { 'docker-content-digest': blob.digest };
    registry.fault = ({ method }) =>
      method === 'PUT' ? { kind: 'answer', status: 201, headers } : undefined;
    expect(await put().catch((error: unknown) => error)).toMatchObject({ code: 'digest-mismatch' });
  });

  test("refuses a reference without tag or digest, and tells the registry's reason", async () => {
    const { manifest } = sampleImage(['never sent']);
    const put = (text: string) =>
      client()
        .putManifest(target(text), { mediaType: OCI_MANIFEST, bytes: manifest.bytes }, options())
        .catch((error: unknown) => error);
    expect(await put('app')).toMatchObject({ message: 'Cannot put a manifest without a tag or digest' });
    expect(await put('app:v1')).toMatchObject({
      kind: 'invalid',
      message: 'manifest blob unknown: blob unknown to registry',
    });
  });
});
