import { afterEach, expect, test } from 'bun:test';
import { connect } from 'node:net';
import { MemoryBlobBackend } from './memory-blob-backend.ts';
import { createRegistryHandler, type RegistryHandlerOptions } from './registry-handler.ts';
import { type RunningRegistry, type ServeOptions, serveRegistry } from './serve-registry.ts';

let registry: RunningRegistry | undefined;
afterEach(() => registry?.close());

function serve(options: RegistryHandlerOptions = {}, where: ServeOptions = {}): void {
  registry = serveRegistry(createRegistryHandler(new MemoryBlobBackend(), options), where);
}

/** `fetch` would choose these headers itself. */
async function answerTo(lines: string[], request = 'GET /v2/'): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let received = '';
  const socket = connect(registry?.port ?? 0, '127.0.0.1');
  socket.on('data', (chunk) => (received += String(chunk)));
  socket.on('close', () => resolve(received));
  socket.write(`${[`${request} HTTP/1.1`, ...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`);
  return await promise;
}

const statusOf = async (lines: string[], request?: string) =>
  Number((await answerTo(lines, request)).split(' ')[1]);

test('on loopback another name is refused, whatever is asked, and is told in the error', async () => {
  serve();
  for (const request of ['GET /v2/', 'GET /v2/_catalog', 'POST /v2/a/blobs/uploads/', 'GET /v1/_ping'])
    expect(await statusOf(['Host: rebound.example:5000'], request), request).toBe(403);
  const answer = await answerTo(['Host: rebound.example:5000']);
  expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toEqual({
    errors: [{ code: 'DENIED', message: expect.stringContaining('Host "rebound.example:5000"') }],
  });
});

test.each([
  '127.0.0.1:5000',
  '127.9.8.7',
  'localhost',
  'LocalHost:15000',
  'localhost.:5000',
  'registry.localhost:5000',
  '[::1]:5000',
  '',
])('on loopback Host %p is ours', async (host) => {
  serve();
  expect(await statusOf([`Host: ${host}`])).toBe(200);
});

test.each([
  '127.0.0.1.example',
  '1127.0.0.1',
  'localhost.example',
  'notlocalhost',
  '192.0.2.1:5000',
  '[::2]',
  '127.0.0.1, rebound.example',
])('on loopback Host %p is not', async (host) => {
  serve();
  expect(await statusOf([`Host: ${host}`])).toBeGreaterThanOrEqual(400);
});

test('the public URL names it too', async () => {
  serve({ publicUrl: 'https://Registry.Local:5443/sub' });
  expect(await statusOf(['Host: registry.local:5000'])).toBe(200);
  expect(await statusOf(['Host: localhost'])).toBe(200);
  expect(await statusOf(['Host: other.local:5000'])).toBe(403);
});

test('on loopback by a name, that name is ours', async () => {
  serve({}, { hostname: 'localhost' });
  expect(await statusOf(['Host: localhost'])).toBe(200);
  expect(await statusOf(['Host: rebound.example'])).toBe(403);
});

test('where others can reach it, any name will do', async () => {
  serve({}, { hostname: '0.0.0.0' });
  expect(await statusOf(['Host: registry.example:5000'])).toBe(200);
});

test.each([
  ['a page of another site', ['Origin: http://evil.example']],
  ['a page on another port', ['Origin: http://localhost:3000']],
  ['a sandboxed page', ['Origin: null']],
  ['an image or form of another site', ['Sec-Fetch-Site: cross-site']],
  ['a neighbour of the site', ['Sec-Fetch-Site: same-site', 'Origin: http://localhost:5000']],
])('%s is refused, on loopback or not', async (_, lines) => {
  serve({}, { hostname: '0.0.0.0' });
  for (const request of ['GET /v2/_catalog', 'POST /v2/a/blobs/uploads/'])
    expect(await statusOf(['Host: localhost:5000', ...lines], request)).toBe(403);
});

test.each([
  ['a page of its own', ['Host: localhost:5000', 'Origin: http://localhost:5000']],
  ['a visit by hand', ['Host: localhost:5000', 'Sec-Fetch-Site: none']],
  [
    'a page behind a proxy that tells its name',
    ['Host: localhost:5000', 'X-Forwarded-Host: r.example', 'Origin: https://r.example'],
  ],
  [
    'a page behind a proxy that does not',
    ['Host: localhost:5000', 'Origin: https://r.example', 'Sec-Fetch-Site: same-origin'],
  ],
])('%s is served', async (_, lines) => {
  serve();
  expect(await statusOf(lines)).toBe(200);
});
