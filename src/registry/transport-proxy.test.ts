import { afterEach, beforeEach, expect, test } from 'bun:test';
import { createServer, type Server } from 'node:net';
import { parseReference } from '../oci/reference.ts';
import { DistributionClient } from './client/distribution-client.ts';
import { DistributionPushClient } from './client/distribution-push-client.ts';
import type { RegistryConfig } from './client/registry-client.ts';
import { plainConfig } from './testing/contract.ts';
import { blobOf, sampleImage } from './testing/sample-image.ts';

const image = sampleImage(['through a proxy']);
const bytes = new TextDecoder().decode(image.manifest.bytes);
const timing = { manifestAttempts: 1, blobAttempts: 1, originHeadMs: 5000, mirrorHeadMs: 5000 };

/** What the proxy was asked, head by head; and what it answers. */
let heads: string[];
let answer: (head: string) => string;
let proxy: Server;
let address: string;
beforeEach(async () => {
  heads = [];
  answer = () =>
    `HTTP/1.1 200 OK\r\ncontent-type: ${image.mediaType}\r\ncontent-length: ${bytes.length}\r\nconnection: close\r\n\r\n${bytes}`;
  proxy = createServer((socket) => {
    let received = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) return;
      heads.push(received.slice(0, end));
      socket.end(answer(received.slice(0, end)));
      received = '';
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const bound = proxy.address();
  address = `127.0.0.1:${typeof bound === 'object' ? bound?.port : 0}`;
});
afterEach(() => new Promise((resolve) => proxy.close(resolve)));

const config = (settings: RegistryConfig['proxy']): RegistryConfig => ({
  ...plainConfig,
  insecure: ['plain.invalid'],
  proxy: settings,
});
const manifest = (domain: string, settings: RegistryConfig['proxy']) =>
  new DistributionClient(config(settings), { timing })
    .manifest(parseReference(`${domain}/app:v1`), { signal: new AbortController().signal })
    .catch((error: unknown) => error);
const header = (head: string | undefined, name: string) =>
  new RegExp(`^${name}: (.*)$`, 'im').exec(head ?? '')?.[1]?.trim();

test('plain requests go to the proxy whole, with its user and password and none of ours', async () => {
  expect(await manifest('plain.invalid:80', { http: `http://me:p%40ss@${address}` })).toMatchObject({
    descriptor: { digest: image.manifest.digest },
  });
  expect(heads[0]).toStartWith('GET http://plain.invalid/v2/app/manifests/v1 HTTP/1.1');
  expect(header(heads[0], 'proxy-authorization')).toBe(`Basic ${btoa('me:p@ss')}`);
  expect(header(heads[0], 'authorization')).toBeUndefined();
});

test('a proxy may be given without a scheme, as in Go', async () => {
  await manifest('plain.invalid:80', { http: address });
  expect(heads).toHaveLength(1);
});

test('TLS goes through a tunnel; what the proxy refuses is an error that names the registry', async () => {
  answer = () => 'HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n';
  const failure = await manifest('secure.invalid', { https: `http://me:secret@${address}` });
  expect(heads[0]).toStartWith('CONNECT secure.invalid:443 HTTP/1.1');
  expect(header(heads[0], 'proxy-authorization')).toBe(`Basic ${btoa('me:secret')}`);
  expect(failure).toMatchObject({ code: 'registry-unreachable' });
  expect(String(failure)).toContain('Get "https://secure.invalid/v2/": ');
});

test('a push goes through it too', async () => {
  answer = () => 'HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: close\r\n\r\n';
  const push = new DistributionPushClient(config({ http: `http://${address}` }), { timing });
  const descriptor = { digest: blobOf('x').digest, size: 1 };
  await push
    .uploadBlob(
      parseReference('plain.invalid:80/app:v1'),
      { descriptor, open: () => new Blob(['x']).stream() },
      { signal: new AbortController().signal },
    )
    .catch(() => undefined);
  expect(heads[0]).toStartWith('GET http://plain.invalid/v2/ HTTP/1.1');
});

test.each(['plain.invalid', '.invalid', '*', 'plain.invalid:80', 'a.b, plain.invalid'])(
  'hosts in no-proxy are asked directly: %s',
  async (no) => {
    expect(await manifest('plain.invalid:80', { http: `http://${address}`, no })).toMatchObject({
      message: 'Get "http://plain.invalid/v2/": dial tcp: lookup plain.invalid: no such host',
    });
    expect(heads).toEqual([]);
  },
);

test.each([
  ['socks4://127.0.0.1:1', 'Invalid proxy for http:// requests: its scheme socks4:// is not supported'],
  ['http://', 'Invalid proxy for http:// requests: it is no URL'],
])('%s is refused', async (http, message) => {
  expect(await manifest('plain.invalid:80', { http })).toMatchObject({ kind: 'invalid', message });
});
