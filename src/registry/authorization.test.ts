import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { EngineError } from '../errors/engine-error.ts';
import { parseReference } from '../oci/reference.ts';
import { DistributionClient } from './client/distribution-client.ts';
import { DistributionPushClient } from './client/distribution-push-client.ts';
import type { RegistryCredentials } from './client/registry-client.ts';
import { MemoryBlobBackend } from './server/memory-blob-backend.ts';
import { publishImage } from './server/publish-image.ts';
import { createRegistryHandler } from './server/registry-handler.ts';
import { plainConfig } from './testing/contract.ts';
import { blobOf, digestOf, type SampleBlob, sampleImage } from './testing/sample-image.ts';

const SECRET = 's3cret-s3cret';
const image = sampleImage(['a private layer']);
const layer = image.layers[0] as SampleBlob;

interface TokenCall {
  method: string;
  query: URLSearchParams;
  form: URLSearchParams;
  authorization: string | null;
}

let server: ReturnType<typeof Bun.serve>;
let tokenCalls: TokenCall[];
let seen: (string | null)[];
let challenge: (() => string) | undefined;
let tokenAnswer: (call: TokenCall) => Response;
let accepts: (authorization: string | null) => boolean;

beforeEach(async () => {
  tokenCalls = [];
  seen = [];
  challenge = undefined;
  tokenAnswer = () => Response.json({ token: 'token-1', expires_in: 300 });
  accepts = (authorization) => authorization?.startsWith('Bearer token-') ?? false;
  const backend = new MemoryBlobBackend();
  const handler = createRegistryHandler(backend);
  await publishImage(backend, {
    repository: 'private/app',
    tag: 'v1',
    manifest: { mediaType: image.mediaType, bytes: image.manifest.bytes },
    blobs: [image.config, layer].map(({ digest, bytes }) => ({
      digest,
      open: () => new Blob([bytes]).stream(),
    })),
  });
  server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const url = new URL(request.url);
      const authorization = request.headers.get('authorization');
      if (url.pathname === '/token') {
        const form = new URLSearchParams(await request.text());
        const call = { method: request.method, query: url.searchParams, form, authorization };
        tokenCalls.push(call);
        return tokenAnswer(call);
      }
      seen.push(authorization);
      if (accepts(authorization)) return handler(request);
      const bearer = `Bearer realm="${url.origin}/token",service="reg",scope="repository:private/app:pull"`;
      const headers = { 'www-authenticate': challenge?.() ?? bearer };
      return Response.json(
        { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] },
        { status: 401, headers },
      );
    },
  });
});
afterEach(() => server.stop(true));

const timing = { retryBaseMs: 1, manifestAttempts: 2, blobAttempts: 2 };
const name = () => parseReference(`127.0.0.1:${server.port}/private/app:v1`);
const options = (credentials?: RegistryCredentials) => ({
  signal: new AbortController().signal,
  credentials,
});
const login = { username: 'me', password: SECRET };

async function failure(credentials?: RegistryCredentials): Promise<EngineError> {
  const client = new DistributionClient(plainConfig, { timing });
  const error = await client.manifest(name(), options(credentials)).catch((reason: unknown) => reason);
  if (!(error instanceof EngineError)) throw new Error('it worked');
  expect(JSON.stringify([error.message, error.hint])).not.toContain(SECRET);
  return error;
}

describe('bearer', () => {
  test('one token serves a pull: anonymous', async () => {
    const client = new DistributionClient(plainConfig, { timing });
    for (let round = 0; round < 2; round++) {
      await client.manifest(name(), options());
      const { body } = await client.blob(name(), layer.digest, options());
      expect(digestOf(await new Response(body).bytes())).toBe(layer.digest);
    }
    expect(tokenCalls).toHaveLength(1);
    expect(tokenCalls[0]?.query.toString()).toBe('service=reg&scope=repository%3Aprivate%2Fapp%3Apull');
    expect(tokenCalls[0]?.authorization).toBeNull();
    expect(seen).toEqual([null, 'Bearer token-1', 'Bearer token-1', 'Bearer token-1', 'Bearer token-1']);
  });

  test('requests that come at once share one', async () => {
    const client = new DistributionClient(plainConfig, { timing });
    const blobs = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const { body } = await client.blob(name(), layer.digest, options());
        return digestOf(await new Response(body).bytes());
      }),
    );
    expect(new Set(blobs)).toEqual(new Set([layer.digest]));
    expect(tokenCalls).toHaveLength(1);
  });

  test('with user and password, which the registry itself never sees', async () => {
    await new DistributionClient(plainConfig, { timing }).manifest(name(), options(login));
    expect(tokenCalls[0]).toMatchObject({ method: 'GET', authorization: `Basic ${btoa(`me:${SECRET}`)}` });
    expect(tokenCalls[0]?.query.get('account')).toBe('me');
    expect(seen).toEqual([null, 'Bearer token-1']);
  });

  test('accounts do not share tokens', async () => {
    const client = new DistributionClient(plainConfig, { timing });
    await client.manifest(name(), options(login));
    await client.manifest(name(), options());
    await client.manifest(name(), options({ username: 'me', password: 'other' }));
    expect(tokenCalls.map(({ authorization }) => authorization !== null)).toEqual([true, false, true]);
  });

  test('with an identity token, posted', async () => {
    await new DistributionClient(plainConfig, { timing }).manifest(
      name(),
      options({ identityToken: SECRET }),
    );
    expect(tokenCalls[0]?.method).toBe('POST');
    expect(Object.fromEntries(tokenCalls[0]?.form ?? [])).toMatchObject({
      grant_type: 'refresh_token',
      refresh_token: SECRET,
      service: 'reg',
      scope: 'repository:private/app:pull',
    });
  });

  test('a registry token is sent as it is', async () => {
    await new DistributionClient(plainConfig, { timing }).manifest(
      name(),
      options({ registryToken: 'token-mine' }),
    );
    expect([tokenCalls.length, seen]).toEqual([0, ['Bearer token-mine']]);
  });

  test('a token that is refused is fetched anew, once', async () => {
    let count = 0;
    tokenAnswer = () => Response.json({ access_token: `token-${++count}` });
    const client = new DistributionClient(plainConfig, { timing });
    await client.manifest(name(), options());
    accepts = (authorization) => authorization === 'Bearer token-2';
    await client.manifest(name(), options());
    expect(seen).toEqual([null, 'Bearer token-1', 'Bearer token-1', 'Bearer token-2']);
    accepts = () => false;
    expect(await client.manifest(name(), options()).catch((error: unknown) => error)).toMatchObject({
      kind: 'unauthorized',
      message: 'unauthorized: authentication required',
    });
  });

  test("wrong password: the token server's words, as dockerd tells them", async () => {
    tokenAnswer = () => Response.json({ details: 'incorrect username or password' }, { status: 401 });
    const error = await failure(login);
    expect(error).toMatchObject({ kind: 'unauthorized', code: 'registry-denied' });
    expect(error.message).toMatch(
      /^Get "http:\/\/127\.0\.0\.1:\d+\/v2\/private\/app\/manifests\/v1": unauthorized: incorrect username or password$/,
    );
  });

  test('insufficient scope reads as dockerd reads it', async () => {
    accepts = () => false;
    challenge = () =>
      `Bearer realm="http://127.0.0.1:${server.port}/token",service="reg",error="insufficient_scope"`;
    expect(await failure()).toMatchObject({
      kind: 'not-found',
      code: 'registry-denied',
      message: `pull access denied for 127.0.0.1:${server.port}/private/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
    });
  });

  test.each<[string, () => Response, string]>([
    ['no JSON', () => new Response('<html>'), 'did not include a token'],
    ['no token', () => Response.json({ token: '' }), 'did not include a token'],
    ['a header in the token', () => Response.json({ token: 'a\r\nX-Evil: 1' }), 'did not include a token'],
    ['too much', () => new Response('x'.repeat(3 << 20)), 'larger than'],
    ['a server error', () => new Response('', { status: 500 }), 'received unexpected HTTP status: 500'],
    [
      'a refusal',
      () => Response.json({ errors: [{ code: 'DENIED', message: 'no' }] }, { status: 403 }),
      ': denied: no',
    ],
    ['too many', () => new Response('', { status: 429 }), 'toomanyrequests'],
  ])('a token server that answers %s', async (_name, answer, text) => {
    tokenAnswer = answer;
    expect((await failure(login)).message).toContain(text);
  });

  test.each(['file:///etc/passwd', 'nonsense', ''])('a realm of %j gets nothing', async (realm) => {
    challenge = () => `Bearer realm="${realm}"`;
    expect(['unavailable', 'unauthorized']).toContain((await failure(login)).kind);
  });

  test('a push asks for the right to push', async () => {
    const push = new DistributionPushClient(plainConfig, { timing });
    const blob = blobOf('pushed');
    await push.uploadBlob(
      name(),
      {
        descriptor: { digest: blob.digest, size: blob.bytes.length },
        open: () => new Blob([blob.bytes]).stream(),
      },
      options(login),
    );
    expect(await push.blobExists(name(), blob.digest, options(login))).toBe(true);
    expect(tokenCalls.at(-1)?.query.getAll('scope')).toContain('repository:private/app:pull,push');
  });
});

test("who the registry redirects to can't ask for its credentials", async () => {
  const asked: (string | null)[] = [];
  const elsewhere = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request) {
      asked.push(request.headers.get('authorization'));
      const { origin, pathname } = new URL(request.url);
      if (pathname === '/token') return Response.json({ token: 'token-1' });
      return new Response(null, {
        status: 401,
        headers: { 'www-authenticate': `Bearer realm="${origin}/token"` },
      });
    },
  });
  const redirecting = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: ({ url }) => Response.redirect(`http://127.0.0.1:${elsewhere.port}${new URL(url).pathname}`, 307),
  });
  try {
    const client = new DistributionClient(plainConfig, { timing });
    const reference = parseReference(`127.0.0.1:${redirecting.port}/private/app:v1`);
    const error: EngineError = await client.manifest(reference, options(login)).catch((reason) => reason);
    expect(error.kind).toBe('unauthorized');
    expect(asked).toEqual([null]);
  } finally {
    await Promise.all([elsewhere.stop(true), redirecting.stop(true)]);
  }
});

describe('basic', () => {
  beforeEach(() => {
    challenge = () => 'Basic realm="reg"';
    accepts = (authorization) => authorization === `Basic ${btoa(`me:${SECRET}`)}`;
  });

  test('is answered when asked for, and remembered', async () => {
    const client = new DistributionClient(plainConfig, { timing });
    await client.manifest(name(), options(login));
    await client.manifest(name(), options(login));
    expect(seen.map((value) => value !== null)).toEqual([false, true, true]);
  });

  test('without a login, or with a wrong one, is unauthorized', async () => {
    expect(await failure()).toMatchObject({
      kind: 'internal',
      message: `Get "http://127.0.0.1:${server.port}/v2/private/app/manifests/v1": no basic auth credentials`,
    });
    expect(await failure({ username: 'me', password: 'wrong' })).toMatchObject({
      kind: 'unauthorized',
      message: 'unauthorized: authentication required',
    });
  });
});
