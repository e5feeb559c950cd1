import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogFields, Logger } from '../errors/logger.ts';
import { parseReference } from '../oci/reference.ts';
import { LoginClient } from './auth/login-client.ts';
import { CatalogClient } from './client/catalog-client.ts';
import { copyImage } from './client/copy-image.ts';
import { DistributionClient } from './client/distribution-client.ts';
import { DistributionPushClient } from './client/distribution-push-client.ts';
import { inspectRemote } from './client/inspect-remote.ts';
import type { RegistryCredentials } from './client/registry-client.ts';
import { SearchClient } from './client/search-client.ts';
import { plainConfig } from './testing/contract.ts';
import type { Fault, FaultyRegistry } from './testing/faulty-registry.ts';
import { startPublished } from './testing/published-registry.ts';
import { freePort } from './testing/running-registry.ts';
import { blobOf, sampleImage } from './testing/sample-image.ts';
import { RegistryConnection } from './transport/registry-connection.ts';

// Everything secret has this in it, also where it is encoded.
const SECRET = 'hunter2';
const ENCODED = [SECRET, btoa(`me:${SECRET}`), btoa(`me:${SECRET}-proxy`), encodeURIComponent(`${SECRET}&`)];
const image = sampleImage(['a layer']);
const blob = image.layers[0] ?? blobOf('');
const lines: string[] = [];
const note = (message: string, fields?: LogFields) => void lines.push(JSON.stringify([message, fields]));
const logger: Logger = { debug: note, info: note, warn: note, error: note };

let registry: FaultyRegistry;
let certs: string;
beforeAll(async () => {
  registry = await startPublished({ 'app:v1': image });
  certs = mkdtempSync(join(tmpdir(), 'sampan-certs-'));
  const folder = join(certs, `127.0.0.1:${registry.port}`);
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'hosts.toml'),
    `[host."http://127.0.0.1:1".header]\nx-key = "${SECRET}"\n[header]\nx-key = "${SECRET}"`,
  );
});
afterAll(async () => {
  rmSync(certs, { recursive: true });
  await registry.close();
});

/** All that could be shown of an error: message, hint, causes, stack. */
function whole(error: unknown, depth = 0): string {
  if (!(error instanceof Error) || depth > 5) return String(error);
  const own = Object.entries(error).map(([key, value]) => `${key}=${String(value)}`);
  return [error.message, error.stack, ...own, whole(error.cause, depth + 1)].join('\n');
}

function connectionWith(config: object = {}): RegistryConnection {
  return new RegistryConnection(
    { ...plainConfig, certsDirectories: [certs], ...config },
    {
      logger,
      timing: {
        retryBaseMs: 1,
        retryMaxMs: 2,
        originHeadMs: 100,
        mirrorHeadMs: 100,
        stallMs: 100,
        manifestAttempts: 2,
        blobAttempts: 2,
      },
    },
  );
}

async function everything(connection: RegistryConnection, host: string, credentials: RegistryCredentials) {
  const reference = parseReference(`${host}/app:v1`);
  const options = { signal: new AbortController().signal, credentials };
  const descriptor = { digest: blob.digest, size: blob.bytes.length };
  const pull = new DistributionClient(connection);
  const push = new DistributionPushClient(connection);
  const catalog = new CatalogClient(connection);
  const copy = {
    signal: options.signal,
    credentials: { from: credentials, to: credentials },
    tlsVerify: { from: undefined, to: undefined },
    maxConcurrentUploads: 1,
    progress: () => undefined,
  };
  return Promise.allSettled([
    pull.manifest(reference, options),
    pull.head(reference, options),
    pull.blob(reference, blob.digest, options).then(({ body }) => new Response(body).bytes()),
    inspectRemote(pull, reference, options),
    push.blobExists(reference, blob.digest, options),
    push.mountBlob(reference, { digest: blob.digest, from: 'other' }, options),
    push.uploadBlob(reference, { descriptor, open: () => new Blob([blob.bytes]).stream() }, options),
    push.putManifest(reference, { mediaType: image.mediaType, bytes: image.manifest.bytes }, options),
    catalog.tags(reference, options),
    catalog.repositories(host, options),
    catalog.referrers({ repository: reference, digest: image.manifest.digest }, options),
    new LoginClient(connection).login({ ...credentials, serverAddress: host }, options),
    new SearchClient(connection).search(`${host}/app`, options),
    copyImage(
      { from: reference, to: parseReference(`${host}/copy:v1`) },
      { source: pull, target: push },
      copy,
    ),
  ]);
}

const given: Record<string, RegistryCredentials> = {
  password: { username: 'me', password: SECRET },
  'identity token': { username: 'me', identityToken: SECRET },
  'registry token': { registryToken: SECRET },
};
const answer = (status: number, headers: Record<string, string> = {}, body = ''): Fault => ({
  kind: 'answer',
  status,
  headers,
  body,
});

test.each(Object.keys(given))('no %s gets into an error or the log, whatever goes wrong', async (kind) => {
  const credentials = given[kind] ?? {};
  const realm = () => `${registry.url}/token?key=${SECRET}`;
  const challenge = () => ({ 'www-authenticate': `Bearer realm="${realm()}",service="${SECRET}"` });
  const elsewhere = `http://127.0.0.1:${await freePort()}/x?signature=${SECRET}`;
  const token = JSON.stringify({ token: `${SECRET}-token`, refresh_token: `${SECRET}-refresh` });
  const faults: (() => Fault | undefined)[] = [
    () => undefined,
    ...[400, 401, 403, 404, 429, 500].map((status) => () => answer(status, { 'retry-after': '0' })),
    () => answer(401, { 'www-authenticate': 'Basic realm="x"' }),
    () => answer(401, challenge()),
    () => answer(200, { 'content-type': 'text/html' }, '<html>'),
    () => answer(307, { location: elsewhere }),
    () => answer(202, { location: elsewhere }),
    () => answer(202, { location: 'ftp://x' }),
    () => ({ kind: 'reset' }),
    () => ({ kind: 'silent' }),
    () => ({ kind: 'cut', atByte: 3 }),
    () => ({ kind: 'corrupt' }),
  ];
  let failures = 0;
  for (const tokenAnswer of [answer(200, {}, token), answer(401), answer(500), answer(200, {}, '<html>')])
    for (const fault of tokenAnswer.kind === 'answer' && tokenAnswer.status === 200
      ? faults
      : faults.slice(8, 9)) {
      registry.fault = ({ path }) => (path.startsWith('/token') ? tokenAnswer : fault());
      const results = await everything(connectionWith(), `127.0.0.1:${registry.port}`, credentials);
      for (const result of results) {
        if (result.status === 'fulfilled') continue;
        failures++;
        lines.push(whole(result.reason));
      }
    }
  expect(failures).toBeGreaterThan(100);
  expect(lines.filter((line) => ENCODED.some((secret) => line.includes(secret)))).toEqual([]);
});

test("neither does a proxy's password, nor that of a proxy that cannot be used", async () => {
  const dead = await freePort();
  for (const scheme of ['http', 'https', 'socks5']) {
    const proxy = `${scheme}://me:${SECRET}-proxy@127.0.0.1:${dead}`;
    const connection = connectionWith({ proxy: { http: proxy, https: proxy } });
    const results = await everything(connection, 'registry.invalid', { username: 'me', password: SECRET });
    for (const result of results) {
      expect(result.status).toBe('rejected');
      if (result.status === 'rejected') lines.push(whole(result.reason));
    }
  }
  expect(lines.filter((line) => ENCODED.some((secret) => line.includes(secret)))).toEqual([]);
});
