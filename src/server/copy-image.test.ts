import { afterAll, beforeAll, expect, test } from 'bun:test';
import { encodeRegistryAuth } from '../wire/registry-auth.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const copy = (query: Record<string, string>) =>
  server.request(`/images/copy?${new URLSearchParams(query).toString()}`, {
    method: 'POST',
    headers: {
      'X-Registry-Auth': encodeRegistryAuth({ username: 'to', password: 'b' }),
      'X-Registry-Auth-Source': encodeRegistryAuth({ username: 'from', password: 'a' }),
    },
  });

test('POST /images/copy sends each registry its own credentials, and ends as a push does', async () => {
  const platform = JSON.stringify({ os: 'linux', architecture: 'arm64' });
  const response = await copy({ from: 'a.test/x:1', to: 'b.test/y', platform, tlsVerify: '0' });
  const lines = (await response.text()).trim().split(/\r?\n/);
  expect([response.status, lines.map((line) => JSON.parse(line) as unknown)]).toEqual([
    200,
    [
      { id: '333333333333', status: 'Pushed', progressDetail: {} },
      { progressDetail: {}, aux: { Tag: 'latest', Digest: `sha256:${'3'.repeat(64)}`, Size: 7 } },
    ],
  ]);
  expect(server.engine.calls.at(-1)).toEqual([
    'copy',
    'a.test/x:1',
    'b.test/y:latest',
    { os: 'linux', architecture: 'arm64' },
    { from: { username: 'from', password: 'a' }, to: { username: 'to', password: 'b' } },
    { from: false, to: false },
  ]);
});

test.each([
  [{ from: 'a.test/x:1' }, 'missing parameter to'],
  [{ from: 'A', to: 'b' }, 'must be lowercase'],
  [{ from: 'a', to: 'b', platform: 'linux' }, 'failed to parse platform'],
])('%p is refused', async (query, reason) => {
  const response = await copy(query as Record<string, string>);
  expect(response.status).toBe(400);
  expect(((await response.json()) as { message: string }).message).toContain(reason);
});
