import { afterEach, describe, expect, test } from 'bun:test';
import { plainConfig } from '../testing/contract.ts';
import { freePort } from '../testing/running-registry.ts';
import { SearchClient } from './search-client.ts';

let server: ReturnType<typeof Bun.serve> | undefined;
let seen: { path: string; authorization: string | null }[] = [];
afterEach(async () => {
  await server?.stop(true);
  seen = [];
});

const found = {
  num_results: 2,
  results: [
    { name: 'library/redis', description: 'a store', star_count: 5, is_official: true, is_automated: false },
    { name: 'a/b', star_count: 'many', is_official: false, is_automated: true },
  ],
};

function serve(answer: () => Response): string {
  server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request) {
      const { pathname, search } = new URL(request.url);
      seen.push({ path: pathname + search, authorization: request.headers.get('authorization') });
      return pathname === '/v1/_ping' ? new Response('', { status: 404 }) : answer();
    },
  });
  return `127.0.0.1:${server.port}`;
}
const search = (term: string, request: object = {}, config: object = {}) =>
  new SearchClient({ ...plainConfig, ...config }).search(term, {
    signal: new AbortController().signal,
    ...request,
  });
const failure = (term: string, request: object = {}) =>
  search(term, request).catch((error: unknown) => error);
const redis = { name: 'library/redis', description: 'a store', starCount: 5, isOfficial: true };
const other = { name: 'a/b', description: '', starCount: 0, isOfficial: false };

// Texts as of dockerd 28.5.
describe('search()', () => {
  test('asks the host that the term names, with its limit', async () => {
    const host = serve(() => Response.json(found));
    expect(await search(`${host}/redis`)).toEqual([redis, other]);
    expect(await search(`${host}/library/redis`, { limit: 1 })).toEqual([redis]);
    expect(seen.map(({ path }) => path)).toEqual([
      '/v1/_ping',
      '/v1/search?q=redis&n=25',
      '/v1/_ping',
      '/v1/search?q=library%2Fredis&n=1',
    ]);
  });

  test('filters', async () => {
    const host = serve(() => Response.json(found));
    expect(await search(`${host}/redis`, { isOfficial: false })).toEqual([other]);
    expect(await search(`${host}/redis`, { minStars: 3 })).toEqual([redis]);
  });

  test('sends a user and password where there are some', async () => {
    const host = serve(() => Response.json(found));
    await search(`${host}/redis`, { credentials: { username: 'me', password: 's3cret' } });
    expect(seen.map(({ authorization }) => authorization)).toEqual([null, `Basic ${btoa('me:s3cret')}`]);
  });

  test.each<[string, () => Response, string]>([
    ['a refusal', () => new Response('', { status: 401 }), 'Unexpected status code 401'],
    ['trouble', () => new Response('', { status: 500 }), 'Unexpected status code 500'],
    [
      'a page',
      () => new Response('<html>'),
      "error decoding registry search results: invalid character '<' looking for beginning of value",
    ],
  ])('against %s', async (_name, answer, message) => {
    const host = serve(answer);
    expect(await failure(`${host}/redis`)).toMatchObject({ kind: 'internal', message });
  });

  test('an answer of another shape finds nothing', async () => {
    const host = serve(() => Response.json({ results: 'x' }));
    expect(await search(`${host}/redis`)).toEqual([]);
  });

  test("of docker.io asks the mirrors where Docker's index is out of reach", async () => {
    const host = serve(() => Response.json(found));
    const proxy = { https: `http://127.0.0.1:${await freePort()}` };
    const config = { proxy, mirrors: ['http://127.0.0.1:1', `http://${host}`] };
    expect(await search('library/redis', { limit: 3, credentials: { username: 'me' } }, config)).toEqual([
      redis,
      other,
    ]);
    expect(seen).toEqual([{ path: '/v1/search?q=redis&n=3', authorization: null }]);
    const nowhere = await search('redis', {}, { proxy }).catch((error: unknown) => error);
    expect(nowhere).toMatchObject({
      message: expect.stringContaining('Get "https://index.docker.io/v1/search"'),
    });
  });

  test('nobody there', async () => {
    const host = `127.0.0.1:${await freePort()}`;
    const refused = `dial tcp ${host}: connect: connection refused`;
    expect(await failure(`${host}/redis`)).toMatchObject({
      kind: 'invalid',
      message: `invalid registry endpoint "http://${host}/v1/". HTTPS attempt: Get "https://${host}/v1/_ping": ${refused}. HTTP attempt: Get "http://${host}/v1/_ping": ${refused}`,
    });
    expect(await failure('nosuch.invalid/redis')).toMatchObject({
      message: expect.stringContaining('please add `--insecure-registry nosuch.invalid` to the daemon'),
    });
  });

  test.each([
    [
      'http://x/redis',
      {},
      'invalid repository name: repository name (http://x/redis) should not have a scheme',
    ],
    ['redis', { limit: 200 }, 'limit 200 is outside the range of [1, 100]'],
    ['redis', { limit: 0 }, 'limit 0 is outside the range of [1, 100]'],
  ])('%s with %p is refused', async (term, request, message) => {
    expect(await failure(term, request)).toMatchObject({ kind: 'invalid', message });
  });
});
