import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LogFields, type Logger, silentLogger } from '../errors/logger.ts';
import { parseReference } from '../oci/reference.ts';
import { copyImage } from './client/copy-image.ts';
import { DistributionClient } from './client/distribution-client.ts';
import { DistributionPushClient } from './client/distribution-push-client.ts';
import { readBlob } from './client/read-blob.ts';
import type { RegistryConfig, RegistrySettings } from './client/registry-client.ts';
import { plainConfig } from './testing/contract.ts';
import type { Fault, FaultyRegistry } from './testing/faulty-registry.ts';
import { startPublished } from './testing/published-registry.ts';
import { freePort } from './testing/running-registry.ts';
import { blobOf, patterned, type SampleBlob, sampleImage } from './testing/sample-image.ts';
import type { RegistryTiming } from './transport/timing.ts';

const older = sampleImage(['the older layer']);
const newer = sampleImage([patterned(200_000, 9)]);
const layer = newer.layers[0] as SampleBlob;
const quick: Partial<RegistryTiming> = {
  deadMirrorMs: 60_000,
  retryBaseMs: 1,
  retryMaxMs: 5,
  certsFreshMs: 0,
  tagCheckMs: 5_000,
};

/** The registry itself, `<host>/app`, and a mirror of it. */
let origin: FaultyRegistry;
let mirror: FaultyRegistry;
let certs: string;
let warnings: (LogFields & { message: string })[];
const logger: Logger = {
  ...silentLogger,
  warn: (message, fields) => void warnings.push({ ...fields, message }),
};

beforeEach(async () => {
  warnings = [];
  certs = mkdtempSync(join(tmpdir(), 'sampan-certs-'));
  origin = await startPublished({ 'app:v1': newer });
  mirror = await startPublished({ 'app:v1': newer });
});
afterEach(async () => {
  rmSync(certs, { recursive: true });
  await Promise.all([origin.close(), mirror.close()]);
});

const domain = () => `127.0.0.1:${origin.port}`;
const name = (text = 'app:v1') => parseReference(`${domain()}/${text}`);
const options = () => ({ signal: new AbortController().signal });
const paths = (registry: FaultyRegistry) => registry.requests.map(({ method, path }) => `${method} ${path}`);

function configFor(settings: Partial<RegistrySettings>): RegistryConfig {
  return {
    ...plainConfig,
    certsDirectories: [certs],
    registries: { [domain()]: { mirrors: [mirror.url], insecure: false, tags: 'origin', ...settings } },
  };
}
function client(settings: Partial<RegistrySettings> = {}, timing: Partial<RegistryTiming> = {}) {
  return new DistributionClient(configFor(settings), { logger, timing: { ...quick, ...timing } });
}
function hostsToml(text: string, folder = domain()): void {
  mkdirSync(join(certs, folder), { recursive: true });
  writeFileSync(join(certs, folder, 'hosts.toml'), text);
}

describe('a mirror of any registry', () => {
  test('serves manifest and blobs, asked with ns; the registry only says what the tag means', async () => {
    const using = client();
    const { descriptor, source } = await using.manifest(name(), options());
    expect(descriptor.digest).toBe(newer.manifest.digest);
    const blob = await using.blob(name(), layer.digest, { ...options(), source, size: layer.bytes.length });
    expect(await new Response(blob.body).bytes()).toEqual(layer.bytes);
    const ns = `ns=${encodeURIComponent(domain())}`;
    expect(paths(mirror)).toEqual([
      `GET /v2/app/manifests/v1?${ns}`,
      `GET /v2/app/blobs/${layer.digest}?${ns}`,
    ]);
    expect(paths(origin)).toEqual(['HEAD /v2/app/manifests/v1']);
    expect(warnings).toEqual([]);
  });

  test("has no say where the registry has another image under the tag: the registry's is taken, with one warning", async () => {
    await mirror.close();
    mirror = await startPublished({ 'app:v1': older });
    const { descriptor, source } = await client().manifest(name(), options());
    expect(descriptor.digest).toBe(newer.manifest.digest);
    expect(source.baseUrl).toBe(origin.url);
    expect(warnings).toEqual([
      {
        message: "mirror has another image under the tag than the registry, taking the registry's",
        mirror: mirror.url,
        image: `${domain()}/app:v1`,
        mirrorDigest: older.manifest.digest,
        digest: newer.manifest.digest,
      },
    ]);
  });

  test("is believed where tags is `mirror`: the registry isn't asked", async () => {
    await mirror.close();
    mirror = await startPublished({ 'app:v1': older });
    const { descriptor } = await client({ tags: 'mirror' }).manifest(name(), options());
    expect(descriptor.digest).toBe(older.manifest.digest);
    expect(origin.requests).toEqual([]);
  });

  test.each<[string, Fault | 'gone']>([
    ['is not there', 'gone'],
    ['keeps silent', { kind: 'silent' }],
    ['has no such tag', { kind: 'answer', status: 404 }],
    ['wants a login', { kind: 'answer', status: 401 }],
    ['is rate limited', { kind: 'answer', status: 429 }],
  ])('is believed while the registry %s', async (_name, fault) => {
    const reference = name();
    const using = client({}, { tagCheckMs: 100 });
    if (fault === 'gone') await origin.close();
    else origin.fault = () => fault;
    const { descriptor, source } = await using.manifest(reference, options());
    expect([descriptor.digest, source.baseUrl]).toEqual([newer.manifest.digest, mirror.url]);
    expect(warnings).toEqual([]);
  });

  test("costs one wait for a silent registry, not one per pull; and no pull of the registry's", async () => {
    origin.fault = () => ({ kind: 'silent' });
    const using = client({}, { originHeadMs: 100, mirrorHeadMs: 100, tagCheckMs: 60_000 });
    await using.manifest(name(), options());
    const asked = origin.requests.length;
    await using.manifest(name(), options());
    expect(origin.requests.length).toBe(asked);
    expect(origin.requests.every(({ method }) => method !== 'GET')).toBe(true);
  });

  test('sees no credentials', async () => {
    for (const registry of [mirror, origin])
      registry.fault = ({ headers }) =>
        headers.has('authorization')
          ? undefined
          : { kind: 'answer', status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
    const credentials = { username: 'me', password: 's3cret' };
    await client().manifest(name(), { ...options(), credentials });
    expect(mirror.requests.some(({ headers }) => headers.has('authorization'))).toBe(false);
    expect(origin.requests.some(({ headers }) => headers.has('authorization'))).toBe(true);
  });
});

describe('a mirror that fails', () => {
  const page: Fault = {
    kind: 'answer',
    status: 200,
    headers: { 'content-type': 'text/html' },
    body: '<html>',
  };
  test.each<[string, Fault]>([
    ['403', { kind: 'answer', status: 403 }],
    ['500', { kind: 'answer', status: 500 }],
    ['a page', page],
    ['silence', { kind: 'silent' }],
    ['a stall', { kind: 'stall', atByte: 10 }],
    ['a wrong byte', { kind: 'corrupt' }],
    ['a reset', { kind: 'reset' }],
    [
      'a redirect in a circle',
      { kind: 'answer', status: 307, headers: { location: '/v2/app/manifests/v1' } },
    ],
  ])('with %s is left behind with one warning that names it, and remembered', async (_name, fault) => {
    mirror.fault = () => fault;
    const using = client({}, { mirrorHeadMs: 200, mirrorStallMs: 200 });
    for (let pull = 0; pull < 2; pull++) {
      const { source } = await using.manifest(name(), options());
      expect(source.baseUrl).toBe(origin.url);
    }
    expect(warnings.map(({ mirror: named }) => named)).toEqual([mirror.url]);
    expect(mirror.requests.length).toBeLessThanOrEqual(10);
  });

  test('by a name that does not resolve, or a port where nobody listens', async () => {
    const dead = `http://127.0.0.1:${await freePort()}`;
    const using = client({ mirrors: ['https://nosuch.invalid', dead, mirror.url] });
    expect((await using.manifest(name(), options())).source.baseUrl).toBe(mirror.url);
    expect((await using.manifest(name(), options())).source.baseUrl).toBe(mirror.url);
    expect(warnings.map((warning) => warning['mirror'])).toEqual(['https://nosuch.invalid', dead]);
  });

  test('with a refusal for one repository is asked first for the others still', async () => {
    await origin.close();
    origin = await startPublished({ 'app:v1': newer, 'other:v1': newer });
    mirror.fault = ({ path }) => (path.includes('/app/') ? { kind: 'answer', status: 403 } : undefined);
    const using = client();
    await using.manifest(name(), options());
    const before = mirror.requests.length;
    await using.manifest(name(), options());
    expect(mirror.requests.length).toBe(before);
    await using.manifest(name('other:v1'), options());
    expect(mirror.requests.length).toBe(before + 1);
  });

  test('with a wrong byte in a blob is left behind with one warning; the next source brings it', async () => {
    mirror.fault = ({ path }) => (path.includes('/blobs/') ? { kind: 'corrupt' } : undefined);
    const using = client();
    const { source } = await using.manifest(name(), options());
    expect(source.baseUrl).toBe(mirror.url);
    const descriptor = { digest: layer.digest, size: layer.bytes.length };
    const read = () =>
      readBlob(using, { repository: name(), descriptor, maxBytes: 1 << 20 }, { ...options(), source });
    expect(await read()).toEqual(layer.bytes);
    expect(await read()).toEqual(layer.bytes);
    expect(warnings).toEqual([
      {
        message: 'mirror sent wrong bytes, asking the next source',
        mirror: mirror.url,
        digest: layer.digest,
      },
    ]);
  });

  test('with a wrong byte is left behind by a copy too; what arrives is right', async () => {
    mirror.fault = ({ path }) => (path.includes('/blobs/') ? { kind: 'corrupt' } : undefined);
    const target = await startPublished({});
    const options = {
      signal: new AbortController().signal,
      credentials: { from: undefined, to: undefined },
      tlsVerify: { from: undefined, to: undefined },
      maxConcurrentUploads: 1,
      progress: () => undefined,
    };
    const to = parseReference(`127.0.0.1:${target.port}/copy:v1`);
    const clients = { source: client(), target: new DistributionPushClient(plainConfig, { timing: quick }) };
    expect((await copyImage({ from: name(), to }, clients, options)).digest).toBe(newer.manifest.digest);
    expect(await target.backend.hasBlob('copy', layer.digest)).toBe(true);
    expect(warnings.map(({ message }) => message)).toEqual([
      'mirror sent wrong bytes, asking the next source',
    ]);
    await target.close();
  });

  test.each<[string, Fault]>([
    ['too many bytes', { kind: 'surplus', bytes: 10 }],
    ['fewer than it promised', { kind: 'headers', headers: { 'content-length': '100' } }],
  ])('with %s in a blob is left behind too', async (_name, fault) => {
    mirror.fault = ({ path }) => (path.includes('/blobs/') ? fault : undefined);
    const descriptor = { digest: layer.digest, size: layer.bytes.length };
    const using = client();
    const bytes = await readBlob(using, { repository: name(), descriptor, maxBytes: 1 << 20 }, options());
    expect(bytes).toEqual(layer.bytes);
  });

  test('is not asked again for what it has spoilt, even where the registry is gone', async () => {
    const reference = name();
    mirror.fault = ({ path }) => (path.includes('/blobs/') ? { kind: 'corrupt' } : undefined);
    await origin.close();
    const descriptor = { digest: layer.digest, size: layer.bytes.length };
    const failure = await readBlob(
      client({}, { blobAttempts: 2 }),
      { repository: reference, descriptor, maxBytes: 1 << 20 },
      options(),
    ).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'digest-mismatch' });
    expect(mirror.requests.filter(({ path }) => path.includes('/blobs/'))).toHaveLength(1);
  });

  test("a registry that itself sends wrong bytes is the digest's error", async () => {
    origin.fault = ({ path }) => (path.includes('/blobs/') ? { kind: 'corrupt' } : undefined);
    const descriptor = { digest: layer.digest, size: layer.bytes.length };
    const failure = await readBlob(
      client({ mirrors: [] }),
      { repository: name(), descriptor, maxBytes: 1 << 20 },
      options(),
    ).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'digest-mismatch' });
  });
});

describe('hosts.toml', () => {
  const plain = () => client({ mirrors: [] });

  test('a host that may only pull is asked by digest; the registry says what the tag means', async () => {
    hostsToml(`[host."${mirror.url}"]\ncapabilities = ["pull"]`);
    const { source } = await plain().manifest(name(), options());
    expect(source).toEqual({ baseUrl: mirror.url, mirror: true });
    const ns = `ns=${encodeURIComponent(domain())}`;
    expect(paths(origin)).toEqual(['HEAD /v2/app/manifests/v1']);
    expect(paths(mirror)).toEqual([`GET /v2/app/manifests/${newer.manifest.digest}?${ns}`]);
  });

  test('a host that may resolve is believed; one of which nothing is said is checked', async () => {
    await mirror.close();
    mirror = await startPublished({ 'app:v1': older });
    hostsToml(`[host."${mirror.url}"]\ncapabilities = ["pull", "resolve"]`);
    expect((await plain().manifest(name(), options())).descriptor.digest).toBe(older.manifest.digest);
    expect(origin.requests).toEqual([]);
    hostsToml(`[host."${mirror.url}"]`);
    expect((await plain().manifest(name(), options())).descriptor.digest).toBe(newer.manifest.digest);
  });

  test('a change is seen without a restart, and headers are sent to their host alone', async () => {
    const using = plain();
    await using.manifest(name(), options());
    expect(mirror.requests).toEqual([]);
    hostsToml(`[host."${mirror.url}".header]\nx-token = "s3cret"`);
    await using.manifest(name(), options());
    expect(mirror.requests[0]?.headers.get('x-token')).toBe('s3cret');
    expect(origin.requests.some(({ headers }) => headers.has('x-token'))).toBe(false);
  });

  test('headers do not follow a redirect to another host', async () => {
    const other = await startPublished({ 'app:v1': newer });
    hostsToml(`[host."${mirror.url}".header]\nauthorization = "Basic s3cret"\nx-token = "s3cret"`);
    mirror.fault = ({ path }) => ({
      kind: 'answer',
      status: 307,
      headers: { location: `${other.url}${path}` },
    });
    expect((await plain().manifest(name(), options())).source.baseUrl).toBe(mirror.url);
    const [request] = other.requests;
    expect([request?.headers.get('x-token'), request?.headers.get('authorization')]).toEqual([null, null]);
    await other.close();
  });

  test('override_path names the root of the API', async () => {
    hostsToml(`[host."${mirror.url}/v2/sub"]\noverride_path = true\ncapabilities = ["pull", "resolve"]`);
    await plain().manifest(name(), options());
    expect(mirror.requests[0]?.path).toStartWith('/v2/sub/app/manifests/v1?ns=');
  });

  test('server takes the place of the registry, without its credentials', async () => {
    hostsToml(`server = "${mirror.url}"`);
    mirror.fault = ({ headers }) =>
      headers.has('authorization') || mirror.requests.length > 1
        ? undefined
        : { kind: 'answer', status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
    const credentials = { username: 'me', password: 's3cret' };
    const failure = await plain()
      .manifest(name(), { ...options(), credentials })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'registry-denied' });
    expect(origin.requests).toEqual([]);
    expect(mirror.requests.some(({ headers }) => headers.has('authorization'))).toBe(false);
  });

  test('_default holds for registries without a folder; a folder `host_port_` goes before', async () => {
    hostsToml(`[host."${mirror.url}"]\ncapabilities = ["pull", "resolve"]`, '_default');
    expect((await plain().manifest(name(), options())).source.baseUrl).toBe(mirror.url);
    hostsToml('[host."https://nosuch.invalid"]', `127.0.0.1_${origin.port}_`);
    hostsToml('capabilities = []', domain());
    expect((await plain().manifest(name(), options())).source.baseUrl).toBe(origin.url);
    expect(warnings.map((warning) => warning['mirror'])).toEqual(['https://nosuch.invalid']);
  });

  test('with a mistake in it is an error that names file and key, not a pull past it', async () => {
    hostsToml('mirrors = ["x"]');
    const failure = await plain()
      .manifest(name(), options())
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({
      kind: 'invalid',
      message: `Cannot use ${join(certs, domain(), 'hosts.toml')}: unknown key "mirrors"`,
    });
  });

  test('dial_timeout lets a host go that takes no connection', async () => {
    // TEST-NET-1: nobody answers there, or the network says so at once.
    hostsToml('[host."http://192.0.2.200:5000"]\ndial_timeout = "100ms"');
    expect((await plain().manifest(name(), options())).source.baseUrl).toBe(origin.url);
    expect(warnings.map((warning) => warning['mirror'])).toEqual(['http://192.0.2.200:5000']);
  });

  test('pushes go to a host that says it takes them, to the registry otherwise', async () => {
    const blob = blobOf('pushed');
    const push = async () => {
      await new DistributionPushClient(configFor({ mirrors: [] }), { timing: quick }).uploadBlob(
        name('new'),
        {
          descriptor: { digest: blob.digest, size: blob.bytes.length },
          open: () => new Blob([blob.bytes]).stream(),
        },
        options(),
      );
    };
    hostsToml(`[host."${mirror.url}"]`);
    await push();
    expect(mirror.requests).toEqual([]);
    hostsToml(`[host."${mirror.url}"]\ncapabilities = ["push"]`);
    await push();
    expect(mirror.requests.some(({ method }) => method === 'PUT')).toBe(true);
  });
});

test('tlsVerify: false lets one request speak plain HTTP to a registry that is not insecure', async () => {
  const hostname = Object.values((await import('node:os')).networkInterfaces())
    .flat()
    .find((entry) => entry?.family === 'IPv4' && !entry.internal)?.address;
  if (hostname === undefined) return;
  const server = Bun.serve({
    hostname,
    port: 0,
    fetch: () => new Response(older.manifest.bytes, { headers: { 'content-type': older.mediaType } }),
  });
  try {
    const using = client({ mirrors: [] });
    const reference = parseReference(`${hostname}:${server.port}/app:v1`);
    const failure = await using.manifest(reference, options()).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'registry-unreachable' });
    const found = await using.manifest(reference, { ...options(), tlsVerify: false });
    expect(found.descriptor.digest).toBe(older.manifest.digest);
  } finally {
    await server.stop(true);
  }
});
