import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../test/support/engine/command.ts';
import { parseReference } from '../oci/reference.ts';
import { DistributionClient } from './client/distribution-client.ts';
import { DistributionPushClient } from './client/distribution-push-client.ts';
import type { RegistryConfig } from './client/registry-client.ts';
import { MemoryBlobBackend } from './server/memory-blob-backend.ts';
import { createRegistryHandler } from './server/registry-handler.ts';
import { type RunningRegistry, serveRegistry } from './server/serve-registry.ts';
import { plainConfig } from './testing/contract.ts';
import { blobOf, patterned } from './testing/sample-image.ts';
import { type SocksOptions, type SocksServer, startSocksServer } from './testing/socks-server.ts';

const timing = { manifestAttempts: 1, blobAttempts: 1, originHeadMs: 5000, mirrorHeadMs: 5000 };
const signal = () => new AbortController().signal;

let registry: RunningRegistry;
let secure: Server;
let securePort = 0;
let directory = '';
beforeAll(async () => {
  const publicUrl = 'http://plain.invalid:5000';
  registry = serveRegistry(createRegistryHandler(new MemoryBlobBackend(), { publicUrl }));
  directory = mkdtempSync(join(tmpdir(), 'sampan-socks-test-'));
  makeCertificate(directory, 'secure.invalid');
  const read = (name: string) => readFileSync(join(directory, name));
  secure = createServer({ key: read('key'), cert: read('secure.invalid/ca.crt') }, (request, response) => {
    response.end(`${request.headers.host}`);
  });
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
  const bound = secure.address();
  securePort = typeof bound === 'object' ? (bound?.port ?? 0) : 0;
});
afterAll(async () => {
  secure.close();
  await registry.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A certificate that is its own authority, where `certs.d` would have it. */
function makeCertificate(into: string, host: string): void {
  mkdirSync(join(into, host));
  const made = Bun.spawnSync(
    'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -days 2'
      .split(' ')
      .concat('-out', `${host}/ca.crt`, '-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`),
    { cwd: into },
  );
  if (made.exitCode !== 0) throw new Error(String(made.stderr));
}

const servers: SocksServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
async function socks(options: Partial<SocksOptions> = {}): Promise<SocksServer> {
  const server = await startSocksServer({ port: registry.port, ...options });
  servers.push(server);
  return server;
}

const config = (proxy: RegistryConfig['proxy']): RegistryConfig => ({
  ...plainConfig,
  insecure: ['plain.invalid:5000'],
  certsDirectories: [directory],
  proxy,
});
const blob = blobOf(patterned(700_000, 3));
const app = parseReference('plain.invalid:5000/app:v1');

async function pushed(proxy: RegistryConfig['proxy']): Promise<void> {
  await new DistributionPushClient(config(proxy), { timing }).uploadBlob(
    app,
    {
      descriptor: { digest: blob.digest, size: blob.bytes.length },
      open: (from) => new Blob([blob.bytes.subarray(from)]).stream(),
    },
    { signal: signal() },
  );
}
async function pulled(proxy: RegistryConfig['proxy']): Promise<Uint8Array> {
  const client = new DistributionClient(config(proxy), { timing });
  const { body } = await client.blob(app, blob.digest, { signal: signal() });
  return await new Response(body).bytes();
}
const failureOf = (proxy: RegistryConfig['proxy'], name = 'plain.invalid:5000/app:v1') =>
  new DistributionClient(config(proxy), { timing })
    .manifest(parseReference(name), { signal: signal() })
    .catch((error: unknown) => error);
const leftovers = () => readdirSync(tmpdir()).filter((name) => /^sampan-socks-(?!test)/.test(name));

test.each(['socks5', 'socks5h'])(
  '%s: a push and a pull go through, the proxy resolves the name',
  async (scheme) => {
    const proxy = await socks();
    const http = `${scheme}://${proxy.address}`;
    await pushed({ http });
    expect(await pulled({ http })).toEqual(blob.bytes);
    expect(new Set(proxy.asked.map(({ target }) => target))).toEqual(new Set(['plain.invalid:5000']));
    expect(proxy.asked[0]).toMatchObject({ login: undefined, addressType: 3 });
    await eventually(() => proxy.open() === 0);
    expect(leftovers()).toEqual([]);
  },
);

test('user and password are percent-decoded, and sent where the proxy wants them', async () => {
  const proxy = await socks({ login: 'me@home:p:4$$' });
  await pushed({ http: `socks5://me%40home:p%3A4$$@${proxy.address}` });
  expect(proxy.asked[0]?.login).toBe('me@home:p:4$$');
});

test('an address is sent as one', async () => {
  const proxy = await socks();
  await failureOf(
    { http: `socks5://${proxy.address}`, https: `socks5://${proxy.address}` },
    '192.0.2.7:5000/app:v1',
  );
  await failureOf({ https: `socks5://${proxy.address}` }, '[2001:db8::7]/app:v1');
  const targets = proxy.asked.map(({ target, addressType }) => [addressType, target]);
  expect(targets).toContainEqual([1, '192.0.2.7:5000']);
  expect(targets).toContainEqual([4, '20010db8000000000000000000000007:443']);
});

test('TLS is with the registry, by its own name and authority', async () => {
  const proxy = await socks({ port: securePort });
  const https = `socks5://${proxy.address}`;
  const descriptor = { digest: blobOf('secure.invalid').digest, size: 14 };
  const ask = async (domain: string): Promise<unknown> => {
    const client = new DistributionClient(config({ https }), { timing });
    try {
      const repository = parseReference(`${domain}/app`);
      const { body } = await client.blob(repository, descriptor.digest, { signal: signal() });
      return await new Response(body).text();
    } catch (error) {
      return error;
    }
  };
  expect(await ask('secure.invalid')).toBe('secure.invalid');
  expect(String(await ask('other.invalid'))).toContain('x509');
  expect(proxy.asked.map(({ target }) => target)).toContain('other.invalid:443');
});

const refusals: [string, Partial<SocksOptions>, string, string][] = [
  ['a wrong password', { login: 'me:right' }, 'me:hunter2@', 'username/password authentication failed'],
  ['no login where one is wanted', { login: 'me:right' }, '', 'no acceptable authentication methods'],
  ['a refused target', { reply: 2 }, 'me:hunter2@', 'unknown error connection not allowed by ruleset'],
  ['an unknown code', { reply: 77 }, '', 'unknown error unknown code: 77'],
  [
    'what is no SOCKS',
    { greeting: Buffer.from('HTTP/1.1 400 Bad Request\r\n') },
    '',
    'unexpected protocol version 72',
  ],
  ['an end before the answer', { greeting: Buffer.from([5]) }, '', 'EOF'],
];
test.each(refusals)(
  '%s is one error in the words of Go, without the login',
  async (_what, options, login, reason) => {
    const proxy = await socks(options);
    const failure = await failureOf({ http: `socks5://${login}${proxy.address}` });
    expect(failure).toMatchObject({
      code: 'registry-unreachable',
      message: `Get "http://plain.invalid:5000/v2/": socks connect tcp ${proxy.address}->plain.invalid:5000: ${reason}`,
    });
    expect(`${(failure as Error).stack} ${Bun.inspect(failure)}`).not.toContain('hunter2');
    expect(leftovers()).toEqual([]);
  },
);

test('a proxy that is not there', async () => {
  const proxy = await socks();
  await proxy.close();
  expect(await failureOf({ http: `socks5://me:hunter2@${proxy.address}` })).toMatchObject({
    message: `Get "http://plain.invalid:5000/v2/": socks connect tcp ${proxy.address}->plain.invalid:5000: dial tcp ${proxy.address}: connect: connection refused`,
  });
});

test('a proxy that keeps silent is waited for as long as a registry', async () => {
  const silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } });
  try {
    const failure = await new DistributionClient(config({ http: `socks5://127.0.0.1:${silent.port}` }), {
      timing: { ...timing, originHeadMs: 200, mirrorHeadMs: 200 },
    })
      .manifest(app, { signal: signal() })
      .catch((error: unknown) => error);
    expect(String(failure)).toContain('Client.Timeout exceeded while awaiting headers');
  } finally {
    silent.stop(true);
  }
});

test('an abort ends the connection to the proxy', async () => {
  const proxy = await socks();
  const http = `socks5://${proxy.address}`;
  await pushed({ http });
  const controller = new AbortController();
  const client = new DistributionClient(config({ http }), { timing });
  const { body } = await client.blob(app, blob.digest, { signal: controller.signal });
  const reader = body.getReader();
  await reader.read();
  controller.abort(new Error('enough'));
  expect(await reader.read().catch(String)).toContain('enough');
  await eventually(() => proxy.open() === 0);
});

test.each([
  ['socks5://:secret@127.0.0.1', 'SOCKS takes a user of 1 to 255 bytes, and a password of at most as many'],
  [
    `socks5://${'u'.repeat(256)}:p@127.0.0.1`,
    'SOCKS takes a user of 1 to 255 bytes, and a password of at most as many',
  ],
  ['socks5://%ff:p@127.0.0.1', 'its user or password is not percent-encoded UTF-8'],
  ['socks4://127.0.0.1', 'its scheme socks4:// is not supported'],
])('%s is refused by the reason alone', async (http, reason) => {
  expect(await failureOf({ http })).toMatchObject({
    kind: 'invalid',
    message: `Invalid proxy for http:// requests: ${reason}`,
  });
});

test('hosts in no-proxy are asked directly', async () => {
  const proxy = await socks();
  await failureOf({ http: `socks5://${proxy.address}`, no: 'plain.invalid' });
  expect(proxy.asked).toEqual([]);
});
