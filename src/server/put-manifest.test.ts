import { afterAll, beforeAll, expect, test } from 'bun:test';
import { startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const INDEX = 'application/vnd.oci.image.index.v1+json';
const put = async (name: string, MediaType: unknown, text: string) => {
  const response = await server.request(`/distribution/${name}/manifest`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ MediaType, Raw: Buffer.from(text).toString('base64') }),
  });
  return [response.status, await response.json()];
};

test('PUT /distribution/{name}/manifest publishes what is a manifest, and nothing else', async () => {
  const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [] });
  expect(await put('registry.example/app:1', INDEX, index)).toEqual([
    201,
    { Digest: `sha256:${'3'.repeat(64)}` },
  ]);
  expect(server.engine.calls).toEqual([['put manifest', 'registry.example/app:1', INDEX]]);
  for (const [type, text] of [
    [INDEX, 'no JSON'],
    [INDEX, '{"schemaVersion":2}'],
    ['application/vnd.oci.image.manifest.v1+json', index],
    ['text/html', '<p>'],
    [7, index],
  ] as const)
    expect((await put('registry.example/app:1', type, text))[0]).toBe(400);
  expect(server.engine.calls).toHaveLength(1);
});
