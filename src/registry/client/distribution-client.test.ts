import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { EngineError } from '../../errors/engine-error.ts';
import type { LogFields, Logger } from '../../errors/logger.ts';
import { silentLogger } from '../../errors/logger.ts';
import { parseReference } from '../../oci/reference.ts';
import { MemoryBlobBackend } from '../server/memory-blob-backend.ts';
import { publishImage } from '../server/publish-image.ts';
import { createRegistryHandler } from '../server/registry-handler.ts';
import { plainConfig } from '../testing/contract.ts';
import {
  type Fault,
  type FaultyRegistry,
  type SeenRequest,
  startFaultyRegistry,
} from '../testing/faulty-registry.ts';
import { freePort } from '../testing/running-registry.ts';
import {
  blobOf,
  digestOf,
  OCI_MANIFEST,
  patterned,
  type SampleBlob,
  sampleImage,
} from '../testing/sample-image.ts';
import type { RegistryTiming } from '../transport/timing.ts';
import { DistributionClient } from './distribution-client.ts';
import type { RegistryConfig } from './registry-client.ts';

const image = sampleImage([patterned(400_000, 3)]);
const layer = image.layers[0] as SampleBlob;
const quick: Partial<RegistryTiming> = { deadMirrorMs: 60_000, retryBaseMs: 2, retryMaxMs: 10 };
/** Patience is short only where something keeps silent: a busy machine must not fail the other tests. */
const impatient: Partial<RegistryTiming> = { mirrorHeadMs: 200, originHeadMs: 200, stallMs: 150 };
const patienceFor = ({ kind }: Fault) => (kind === 'silent' || kind === 'stall' ? impatient : {});
const html: Fault = {
  kind: 'answer',
  status: 200,
  headers: { 'content-type': 'text/html' },
  body: '<html>hi</html>',
};

let registry: FaultyRegistry;
let warnings: LogFields[];
const logger: Logger = {
  ...silentLogger,
  warn: (_message, fields) => void warnings.push(fields ?? {}),
};

async function startWithImage(): Promise<FaultyRegistry> {
  const backend = new MemoryBlobBackend();
  for (const repository of ['app', 'library/app'])
    await publishImage(backend, {
      repository,
      tag: 'v1',
      manifest: { mediaType: image.mediaType, bytes: image.manifest.bytes },
      blobs: [image.config, layer].map(({ digest, bytes }) => ({
        digest,
        open: () => new Blob([bytes]).stream(),
      })),
    });
  return startFaultyRegistry(createRegistryHandler(backend));
}

beforeEach(async () => {
  warnings = [];
  registry = await startWithImage();
});
afterEach(() => registry.close());

function client(
  config: Partial<RegistryConfig> = {},
  timing: Partial<RegistryTiming> = {},
): DistributionClient {
  return new DistributionClient({ ...plainConfig, ...config }, { logger, timing: { ...quick, ...timing } });
}
const options = () => ({ signal: new AbortController().signal });
const here = (text = 'app:v1') => parseReference(`127.0.0.1:${registry.port}/${text}`);
const isBlob = (path: string) => path.includes('/blobs/');
/** Where in the blob a request begins; none for other requests. */
const rangeStart = ({ path, headers }: SeenRequest): number[] =>
  isBlob(path) ? [Number(/^bytes=(\d+)-$/.exec(headers.get('range') ?? 'bytes=0-')?.[1])] : [];

/**
 * Each request goes on where the one before stopped. On a busy machine that may be before the byte at which the connection was cut: fetch drops
 * what it has received and not yet handed on when a connection breaks.
 */
function expectResumed(starts: number[], cutAfter: number): void {
  expect(starts[0]).toBe(0);
  for (const [index, start] of starts.slice(1).entries()) {
    expect(start).toBeGreaterThanOrEqual(starts[index] ?? 0);
    expect(start).toBeLessThanOrEqual((starts[index] ?? 0) + cutAfter);
  }
}

async function failureOf(promise: Promise<unknown>): Promise<EngineError> {
  const error = await promise.then(
    () => new Error('it worked'),
    (reason: unknown) => reason,
  );
  if (error instanceof EngineError) return error;
  throw error;
}

function manifestFailure(fault: Fault, text = 'app:v1'): Promise<EngineError> {
  registry.fault = () => fault;
  return failureOf(client({}, patienceFor(fault)).manifest(here(text), options()));
}

async function readLayer(
  using: DistributionClient,
  extra: { start?: number; size?: number } = {},
): Promise<Uint8Array> {
  const { body } = await using.blob(here(), layer.digest, {
    ...options(),
    size: layer.bytes.length,
    ...extra,
  });
  return new Response(body).bytes();
}

const errors = (code: string, message: string) => JSON.stringify({ errors: [{ code, message }] });

describe('manifest()', () => {
  // Texts as dockerd 28.5 gives them for the same answers.
  test.each<[string, Fault, object]>([
    [
      'no such host',
      { kind: 'answer', status: 500 },
      { kind: 'unavailable', message: 'received unexpected HTTP status: 500 Internal Server Error' },
    ],
    [
      'rate limit',
      {
        kind: 'answer',
        status: 429,
        body: errors('TOOMANYREQUESTS', 'You have reached your pull rate limit.'),
      },
      { code: 'registry-rate-limited', message: 'toomanyrequests: You have reached your pull rate limit.' },
    ],
    [
      'plain rate limit',
      { kind: 'answer', status: 429, body: 'slow down' },
      { message: 'toomanyrequests: slow down' },
    ],
    [
      'unauthorized',
      { kind: 'answer', status: 401, body: errors('UNAUTHORIZED', 'authentication required') },
      { kind: 'unauthorized', code: 'registry-denied', message: 'unauthorized: authentication required' },
    ],
    [
      'html',
      html,
      { message: "error unmarshalling content: invalid character '<' looking for beginning of value" },
    ],
    [
      'half a document',
      { kind: 'answer', status: 200, headers: { 'content-type': OCI_MANIFEST }, body: '{"schemaVersion":2,' },
      { message: 'error unmarshalling content: unexpected end of JSON input' },
    ],
    [
      'schema 1',
      { kind: 'answer', status: 200, body: '{"schemaVersion":1,"name":"x"}' },
      { kind: 'invalid', message: expect.stringContaining('schema 1 are not supported') },
    ],
    [
      'image and index at once',
      {
        kind: 'answer',
        status: 200,
        headers: { 'content-type': OCI_MANIFEST },
        body: '{"schemaVersion":2,"layers":[],"manifests":[]}',
      },
      { kind: 'invalid', message: expect.stringContaining('could be an index or an image') },
    ],
    [
      'two media types',
      {
        kind: 'answer',
        status: 200,
        headers: { 'content-type': OCI_MANIFEST },
        body: '{"schemaVersion":2,"mediaType":"application/x"}',
      },
      { kind: 'invalid' },
    ],
    [
      'a digest that it has not',
      { kind: 'headers', headers: { 'docker-content-digest': blobOf('x').digest } },
      {
        kind: 'invalid',
        code: 'digest-mismatch',
        message: `manifest verification failed for digest ${blobOf('x').digest}`,
      },
    ],
    ['other bytes', { kind: 'corrupt' }, { code: 'digest-mismatch' }],
    [
      'five megabytes',
      { kind: 'answer', status: 200, headers: { 'content-type': OCI_MANIFEST }, body: ' '.repeat(5 << 20) },
      { kind: 'invalid', code: 'size-exceeded' },
    ],
    ['cut short', { kind: 'cut', atByte: 20 }, { kind: 'unavailable', code: 'registry-unreachable' }],
    [
      'silence',
      { kind: 'silent' },
      { message: expect.stringContaining('Client.Timeout exceeded while awaiting headers') },
    ],
    ['stalls', { kind: 'stall', atByte: 20 }, { message: expect.stringContaining('no data for 0.15 s') }],
    [
      'a reset',
      { kind: 'reset' },
      { message: expect.stringMatching(/^Get ".*\/v2\/": read: connection reset by peer$/) },
    ],
  ])('gives one error for %s', async (_name, fault, expected) => {
    expect(await manifestFailure(fault)).toMatchObject(expected);
  });

  test('a refusal reads like a login that is missing', async () => {
    const text = `pull access denied for 127.0.0.1:${registry.port}/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`;
    const challenge = 'Bearer realm="http://127.0.0.1:1/token",error="insufficient_scope"';
    const answers: Fault[] = [
      { kind: 'answer', status: 403, body: errors('DENIED', 'requested access to the resource is denied') },
      { kind: 'answer', status: 401, body: errors('DENIED', 'requested access to the resource is denied') },
    ];
    expect((await manifestFailure(answers[0] as Fault)).message).toBe(text);
    expect(
      await manifestFailure({ kind: 'answer', status: 401, headers: { 'www-authenticate': challenge } }),
    ).toMatchObject({
      code: 'registry-unreachable',
    });
  });

  test('a connection refused and a name unknown read as from dockerd', async () => {
    const port = await freePort();
    const refused = await failureOf(client().manifest(parseReference(`127.0.0.1:${port}/x`), options()));
    expect(refused.message).toBe(
      `Get "http://127.0.0.1:${port}/v2/": dial tcp 127.0.0.1:${port}: connect: connection refused`,
    );
    const unknown = await failureOf(client().manifest(parseReference('nohost.invalid/x'), options()));
    expect(unknown.message).toBe(
      'Get "https://nohost.invalid/v2/": dial tcp: lookup nohost.invalid: no such host',
    );
  });

  test.each(['localhost:99999/x', '[fd00123123123]:80/x'])('%s has a name but no address', async (text) => {
    const error = await failureOf(client().manifest(parseReference(text), options()));
    expect([error.kind, error.message]).toEqual([
      'invalid',
      expect.stringContaining('invalid address or port'),
    ] as never);
  });

  test('the environment sets no proxy, the settings do', async () => {
    const [before, dead] = [process.env['http_proxy'], await freePort()];
    process.env['http_proxy'] = `http://127.0.0.1:${dead}`;
    try {
      await client().manifest(here(), options());
    } finally {
      if (before === undefined) delete process.env['http_proxy'];
      else process.env['http_proxy'] = before;
    }
    const proxy = { http: registry.url };
    const mirrors = ['http://mirror.invalid'];
    const { descriptor } = await client({ proxy, mirrors }).manifest(parseReference('app:v1'), options());
    expect(descriptor.digest).toBe(image.manifest.digest);
    expect(registry.requests.at(-1)?.headers.get('host')).toBe('mirror.invalid');
  });

  test('by digest: checks against what was asked', async () => {
    const asked = here(`app@${image.manifest.digest}`);
    expect((await client().manifest(asked, options())).descriptor.digest).toBe(image.manifest.digest);
    registry.fault = () => ({ kind: 'headers', headers: { 'docker-content-digest': blobOf('lie').digest } });
    expect((await client().manifest(asked, options())).descriptor.digest).toBe(image.manifest.digest);
  });

  test('another schema or busy server: tries again, as often as it should', async () => {
    let left = 2;
    registry.fault = () => (left-- > 0 ? { kind: 'answer', status: 503 } : undefined);
    expect((await client().manifest(here(), options())).bytes).toEqual(image.manifest.bytes);
    registry.requests.length = 0;
    await manifestFailure({ kind: 'answer', status: 429, headers: { 'retry-after': '7200' } });
    expect(registry.requests.length).toBe(1);
  });

  test('aborts with the reason that the caller gave', async () => {
    registry.fault = () => ({ kind: 'silent' });
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 20);
    const pulled = client({}, { mirrorHeadMs: 5000, originHeadMs: 5000 }).manifest(here(), {
      signal: controller.signal,
    });
    expect(await pulled.catch((error: unknown) => error)).toBe(reason);
  });
});

describe('head()', () => {
  test('tells what a name is now without a pull', async () => {
    const found = await client().head(here(), options());
    const { digest, bytes } = image.manifest;
    expect(found?.descriptor).toEqual({ mediaType: OCI_MANIFEST, digest, size: bytes.length });
    expect(registry.requests.map(({ method }) => method)).toEqual(['HEAD']);
  });

  test('has the words for what is not there, and none for a registry that keeps silent', async () => {
    const error = await failureOf(client().head(here('nosuch:v1'), options()));
    expect(error.code).toBe('registry-manifest-unknown');
    registry.fault = () => ({ kind: 'headers', headers: { 'docker-content-digest': 'nonsense' } });
    expect(await client().head(here(), options())).toBeUndefined();
  });
});

describe('redirects', () => {
  test('of itself end after ten', async () => {
    const path = '/v2/app/manifests/v1';
    const error = await manifestFailure({ kind: 'answer', status: 307, headers: { location: path } });
    expect(error.message).toBe(`Get "${registry.url}${path}": stopped after 10 redirects`);
  });

  test('take no credentials to another host, and none to a file', async () => {
    const other = await startWithImage();
    try {
      registry.fault = ({ path, headers }) => {
        if (!isBlob(path)) return undefined;
        if (!headers.has('authorization'))
          return { kind: 'answer', status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
        return { kind: 'answer', status: 307, headers: { location: `${other.url}${path}?signature=s3cret` } };
      };
      const credentials = { username: 'me', password: 's3cret' };
      const { body } = await client().blob(here(), layer.digest, { ...options(), credentials });
      expect(digestOf(await new Response(body).bytes())).toBe(layer.digest);
      expect(registry.requests.at(-1)?.headers.get('authorization')).toBe('Basic bWU6czNjcmV0');
      expect(other.requests.map(({ headers }) => headers.get('authorization'))).toEqual([null]);
      other.fault = () => ({ kind: 'answer', status: 404, body: 'gone' });
      const error = await failureOf(client().blob(here(), layer.digest, { ...options(), credentials }));
      expect(error.message).not.toContain('s3cret');
    } finally {
      await other.close();
    }
    const error = await manifestFailure({
      kind: 'answer',
      status: 302,
      headers: { location: 'file:///etc/passwd' },
    });
    expect(error.message).toContain('no http or https URL');
  });
});

describe('mirrors', () => {
  const hub = parseReference('app:v1');
  let dead: number;
  beforeEach(async () => {
    dead = await freePort();
  });

  test.each<[string, Fault]>([
    ['403', { kind: 'answer', status: 403 }],
    ['500', { kind: 'answer', status: 500 }],
    ['429', { kind: 'answer', status: 429 }],
    ['401', { kind: 'answer', status: 401 }],
    ['a page', html],
    ['silence', { kind: 'silent' }],
    ['a wrong digest', { kind: 'corrupt' }],
    ['half', { kind: 'cut', atByte: 10 }],
  ])('one that answers %s is passed over with one warning', async (_name, fault) => {
    const broken = await startWithImage();
    try {
      broken.fault = () => fault;
      const resolved = await client({ mirrors: [broken.url, registry.url] }, patienceFor(fault)).manifest(
        hub,
        options(),
      );
      expect(resolved.source).toEqual({ baseUrl: registry.url, mirror: true });
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatchObject({ mirror: broken.url, image: 'app:v1' });
    } finally {
      await broken.close();
    }
  });

  test('one that is down is asked last from then on', async () => {
    const using = client({ mirrors: [`http://127.0.0.1:${dead}`, registry.url] });
    for (let round = 0; round < 3; round++) await using.manifest(hub, options());
    expect(warnings).toHaveLength(1);
  });

  test('one without the image is no news; the origin has the last word', async () => {
    const using = client({ mirrors: [registry.url], proxy: { https: `http://127.0.0.1:${dead}` } });
    const error = await failureOf(using.manifest(parseReference('nosuch'), options()));
    expect(warnings).toEqual([]);
    expect(error.message).toStartWith('Get "https://registry-1.docker.io/v2/": ');
    expect(error.hint).toContain(`${registry.url} (manifest for nosuch not found: manifest unknown`);
  });

  test("see no credentials, and the manifest's source is asked first for blobs", async () => {
    const using = client({ mirrors: [`http://127.0.0.1:${dead}`, registry.url] });
    const credentials = { username: 'me', password: 's3cret', registryToken: 's3cret' };
    const { source } = await using.manifest(hub, { ...options(), credentials });
    const blob = await using.blob(hub, layer.digest, { ...options(), credentials, source });
    expect(blob.source).toEqual(source);
    expect(digestOf(await new Response(blob.body).bytes())).toBe(layer.digest);
    expect(registry.requests.every(({ headers }) => !headers.has('authorization'))).toBe(true);
  });

  test('one that breaks off twice hands the rest of a blob to the next', async () => {
    const broken = await startWithImage();
    try {
      broken.fault = ({ path }) => (isBlob(path) ? { kind: 'cut', atByte: 50_000 } : undefined);
      const using = client({ mirrors: [broken.url, registry.url] });
      const { source } = await using.manifest(hub, options());
      const { body } = await using.blob(hub, layer.digest, { ...options(), source });
      expect(digestOf(await new Response(body).bytes())).toBe(layer.digest);
      expect(broken.requests.filter(({ path }) => isBlob(path))).toHaveLength(2);
      expectResumed([...broken.requests, ...registry.requests].flatMap(rangeStart), 50_000);
    } finally {
      await broken.close();
    }
  });

  test('are for docker.io alone', async () => {
    await client({ mirrors: [registry.url] }).manifest(here(), options());
    const other = await failureOf(
      client({ mirrors: [registry.url] }).manifest(parseReference(`127.0.0.1:${dead}/app:v1`), options()),
    );
    expect(other.code).toBe('registry-unreachable');
  });
});

describe('blob()', () => {
  test('goes on where a connection was cut, until the blob is whole', async () => {
    registry.fault = ({ path }) => (isBlob(path) ? { kind: 'cut', atByte: 90_000 } : undefined);
    expect(digestOf(await readLayer(client()))).toBe(layer.digest);
    const starts = registry.requests.flatMap(rangeStart);
    expectResumed(starts, 90_000);
    expect(starts.length).toBeGreaterThanOrEqual(5);
  });

  test('drops what a server without ranges sends again', async () => {
    let first = true;
    registry.fault = ({ path }) => {
      if (!isBlob(path)) return undefined;
      const fault: Fault = first ? { kind: 'cut', atByte: 90_000 } : { kind: 'ignore-range' };
      first = false;
      return fault;
    };
    expect(digestOf(await readLayer(client()))).toBe(layer.digest);
  });

  test('goes on after a stall', async () => {
    let first = true;
    registry.fault = ({ path }) => {
      const fault: Fault | undefined = isBlob(path) && first ? { kind: 'stall', atByte: 1000 } : undefined;
      if (isBlob(path)) first = false;
      return fault;
    };
    expect(digestOf(await readLayer(client({}, { stallMs: 150 })))).toBe(layer.digest);
  });

  test('tells when it begins at 0 although asked for less', async () => {
    registry.fault = () => ({ kind: 'ignore-range' });
    const { start, body } = await client().blob(here(), layer.digest, { ...options(), start: 1000 });
    expect([start, (await new Response(body).bytes()).length]).toEqual([0, layer.bytes.length]);
  });

  test('gives up on a registry that always cuts', async () => {
    registry.fault = ({ path }) => (isBlob(path) ? { kind: 'cut', atByte: 0 } : undefined);
    expect(await failureOf(readLayer(client()))).toMatchObject({
      kind: 'unavailable',
      code: 'registry-unreachable',
    });
    expect(registry.requests.length).toBeLessThan(10);
  });

  test.each([429, 500, 502, 503])('asks again after %d', async (status) => {
    let left = 2;
    registry.fault = () =>
      left-- > 0 ? { kind: 'answer', status, headers: { 'retry-after': '0' } } : undefined;
    expect(digestOf(await readLayer(client()))).toBe(layer.digest);
  });

  test('waits as long as Retry-After says', async () => {
    let first = true;
    registry.fault = () => {
      const fault: Fault | undefined = first
        ? { kind: 'answer', status: 429, headers: { 'retry-after': '1' } }
        : undefined;
      first = false;
      return fault;
    };
    const started = performance.now();
    await readLayer(client());
    expect(performance.now() - started).toBeGreaterThan(990);
  });

  test('ends what has no end', async () => {
    registry.fault = () => ({ kind: 'endless' });
    expect(await failureOf(client().manifest(here(), options()))).toMatchObject({ code: 'size-exceeded' });
    expect(await failureOf(readLayer(client()))).toMatchObject({ code: 'size-exceeded' });
  });

  test('refuses a byte too many and a byte too few', async () => {
    registry.fault = ({ path }) =>
      isBlob(path) ? { kind: 'answer', status: 200, body: 'x'.repeat(100) } : undefined;
    expect(await failureOf(readLayer(client(), { size: 99 }))).toMatchObject({
      kind: 'invalid',
      code: 'size-exceeded',
    });
    expect(await failureOf(readLayer(client(), { size: 101 }))).toMatchObject({
      kind: 'invalid',
      code: 'archive-truncated',
    });
  });

  test('a wrong range, a page and an unknown blob are errors', async () => {
    const blob = (start: number) =>
      failureOf(client({}, { blobAttempts: 1 }).blob(here(), layer.digest, { ...options(), start }));
    registry.fault = () => ({
      kind: 'answer',
      status: 206,
      headers: { 'content-range': 'bytes 5-9/10' },
      body: 'xxxxx',
    });
    expect((await blob(3)).message).toContain('is not the blob');
    registry.fault = () => html;
    expect((await blob(0)).message).toContain('is not the blob');
    registry.fault = () => undefined;
    const unknown = await failureOf(client().blob(here(), blobOf('none').digest, options()));
    expect(unknown).toMatchObject({ kind: 'not-found', message: 'unknown blob' });
  });

  test('an abort in the middle ends the stream with its reason', async () => {
    registry.fault = ({ path }) => (isBlob(path) ? { kind: 'stall', atByte: 1000 } : undefined);
    const controller = new AbortController();
    const { body } = await client({}, { stallMs: 5000 }).blob(here(), layer.digest, {
      signal: controller.signal,
    });
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 20);
    expect(await new Response(body).bytes().catch((error: unknown) => error)).toBe(reason);
  });
});
