import { expect, test } from 'bun:test';
import { MemoryBlobBackend } from './memory-blob-backend.ts';
import { createRegistryHandler } from './registry-handler.ts';

const statusOf = async (
  { method = 'GET', ...headers }: Record<string, string>,
  names?: readonly string[],
): Promise<number> => {
  const handler = createRegistryHandler(new MemoryBlobBackend(), { names });
  const path = method === 'GET' ? '' : 'a/blobs/uploads/';
  const response = await handler(new Request(`http://registry/v2/${path}`, { method, headers }));
  await handler.close();
  return response.status;
};

test.each([
  ['localhost:5000', 200],
  ['127.0.0.1:5000', 200],
  ['127.1.2.3', 200],
  ['[::1]:5000', 200],
  ['registry.localhost:5000', 200],
  ['Registry.Example.com', 200],
  ['evil.example:5000', 403],
  ['localhost.evil.example:5000', 403],
  ['169.254.169.254', 403],
  ['', 403],
])('a registry on loopback that is asked for as %p answers %p', async (host, status) => {
  expect(await statusOf({ host }, ['registry.example.com'])).toBe(status);
});

test('elsewhere any name will do', async () => {
  expect(await statusOf({ host: 'evil.example:5000' })).toBe(200);
});

test.each([
  [{}, 202],
  [{ 'sec-fetch-site': 'same-origin', origin: 'http://localhost:5000' }, 202],
  [{ origin: 'http://evil.example' }, 403],
  [{ origin: 'http://localhost:8080' }, 403],
  [{ origin: 'null' }, 403],
  [{ 'sec-fetch-site': 'cross-site' }, 403],
  [{ 'sec-fetch-site': 'same-site' }, 403],
])('a push with %p is answered with %p', async (headers, status) => {
  expect(await statusOf({ method: 'POST', host: 'localhost:5000', ...headers })).toBe(status);
});
