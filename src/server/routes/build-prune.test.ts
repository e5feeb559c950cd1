import { afterAll, beforeAll, expect, test } from 'bun:test';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const none = { reservedBytes: 0, maxUsedBytes: 0, minFreeBytes: 0 };

test.each([
  ['', none],
  ['?keep-storage=5', { ...none, reservedBytes: 5 }],
  ['?keep-storage=5&reserved-space=7', { ...none, reservedBytes: 7 }],
  ['?max-used-space=9&reserved-space=7', { ...none, reservedBytes: 7, maxUsedBytes: 9 }],
  ['?min-free-space=1000000', { ...none, minFreeBytes: 1_000_000 }],
])('POST /build/prune%s', async (query, space) => {
  const response = await server.request(`/build/prune${query}`, { method: 'POST' });
  expect([response.status, await response.json()]).toEqual([200, { CachesDeleted: null, SpaceReclaimed: 0 }]);
  expect(server.engine.cachePrunes.at(-1)).toMatchObject({ all: false, ...space });
});

// Docker 28.5 says so.
test('what is no number of bytes is refused', async () => {
  const response = await server.request('/build/prune?min-free-space=abc', { method: 'POST' });
  const message =
    'min-free-space is in bytes and expects an integer, got abc: strconv.Atoi: parsing "abc": invalid syntax';
  expect([response.status, await response.json()]).toEqual([400, { message }]);
});
