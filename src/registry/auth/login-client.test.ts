import { afterEach, describe, expect, test } from 'bun:test';
import type { RegistryCredentials } from '../client/registry-client.ts';
import { plainConfig } from '../testing/contract.ts';
import { freePort } from '../testing/running-registry.ts';
import { LoginClient } from './login-client.ts';

interface Seen {
  method: string;
  path: string;
  authorization: string | null;
  form: string;
}

let server: ReturnType<typeof Bun.serve> | undefined;
let seen: Seen[] = [];
afterEach(async () => {
  await server?.stop(true);
  server = undefined;
  seen = [];
});

type Answer = (request: Seen, origin: string) => Response;

/** A registry that answers so; `host:port` of it. */
function serve(answer: Answer): string {
  server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { pathname, search, origin } = new URL(request.url);
      const entry = {
        method: request.method,
        path: pathname + search,
        authorization: request.headers.get('authorization'),
        form: await request.text(),
      };
      seen.push(entry);
      return answer(entry, origin);
    },
  });
  return `127.0.0.1:${server.port}`;
}

const login = (
  serverAddress: string,
  credentials: RegistryCredentials = { username: 'me', password: 's3cret' },
) =>
  new LoginClient(plainConfig, { timing: { originHeadMs: 5000, mirrorHeadMs: 5000 } }).login(
    { ...credentials, serverAddress },
    { signal: new AbortController().signal },
  );
const failure = (serverAddress: string) => login(serverAddress).catch((error: unknown) => error);

const unauthorized = (challenge?: string) =>
  Response.json(
    { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] },
    { status: 401, headers: challenge === undefined ? {} : { 'www-authenticate': challenge } },
  );
const basic: Answer = ({ authorization }) =>
  authorization === `Basic ${btoa('me:s3cret')}` ? Response.json({}) : unauthorized('Basic realm="x"');
const bearer =
  (token: (request: Seen) => Response): Answer =>
  (request, origin) => {
    if (request.path.startsWith('/token')) return token(request);
    if (request.authorization === 'Bearer tok') return Response.json({});
    return unauthorized(`Bearer realm="${origin}/token",service="reg"`);
  };

// Answers and texts as dockerd 28.5 gives them for the same registries.
describe('login()', () => {
  test('with basic authentication', async () => {
    expect(await login(serve(basic))).toEqual({ status: 'Login Succeeded', identityToken: '' });
    expect(await login(`http://127.0.0.1:${server?.port}/v1/`)).toEqual({
      status: 'Login Succeeded',
      identityToken: '',
    });
  });

  test('where nobody asks for a login', async () => {
    const host = serve(() => Response.json({}));
    expect(await login(host)).toEqual({ status: 'Login Succeeded', identityToken: '' });
    expect(seen.some(({ authorization }) => authorization !== null)).toBe(false);
  });

  test('with a token server asks for an identity token', async () => {
    const host = serve(bearer(() => Response.json({ token: 'tok', refresh_token: 'refresh-1' })));
    expect(await login(host)).toEqual({ status: 'Login Succeeded', identityToken: 'refresh-1' });
    const query = new URL(seen[1]?.path ?? '', 'http://x').searchParams;
    expect(Object.fromEntries(query)).toEqual({
      account: 'me',
      client_id: 'docker',
      offline_token: 'true',
      service: 'reg',
    });
  });

  test('with an identity token posts it, and keeps it', async () => {
    const host = serve(bearer(() => Response.json({ access_token: 'tok' })));
    expect(await login(host, { username: 'me', identityToken: 'idt' })).toEqual({
      status: 'Login Succeeded',
      identityToken: 'idt',
    });
    expect(seen[1]?.method).toBe('POST');
    expect(Object.fromEntries(new URLSearchParams(seen[1]?.form))).toMatchObject({
      grant_type: 'refresh_token',
      refresh_token: 'idt',
      client_id: 'docker',
      service: 'reg',
    });
  });

  test('is not answered from what was remembered', async () => {
    const host = serve(basic);
    await login(host);
    const wrong = await login(host, { username: 'me', password: 'other' }).catch((error: unknown) => error);
    expect(wrong).toMatchObject({ kind: 'internal', code: 'registry-denied' });
  });

  test.each<[string, Answer, string, string]>([
    ['a wrong password', () => unauthorized('Basic realm="x"'), 'internal', '401 Unauthorized'],
    ['no challenge', () => unauthorized(), 'internal', '401 Unauthorized'],
    ['no registry', () => new Response('nope', { status: 404 }), 'internal', '404 Not Found'],
    ['a broken one', () => new Response('', { status: 500 }), 'internal', '500 Internal Server Error'],
  ])('against %s', async (_name, answer, kind, text) => {
    const host = serve(answer);
    expect(await failure(host)).toMatchObject({
      kind,
      message: `login attempt to http://${host}/v2/ failed with status: ${text}`,
    });
  });

  test.each([
    [{ errors: [{ code: 'UNAUTHORIZED', message: 'no way' }] }, 'no way'],
    [{ details: 'incorrect username or password' }, 'incorrect username or password'],
  ])("against a token server's refusal %p", async (body, reason) => {
    const host = serve(bearer(() => Response.json(body, { status: 401 })));
    expect(await failure(host)).toMatchObject({
      kind: 'unauthorized',
      message: `Get "http://${host}/v2/": unauthorized: ${reason}`,
    });
  });

  test('against a busy token server', async () => {
    const busy = { errors: [{ code: 'TOOMANYREQUESTS', message: 'slow' }] };
    const host = serve(bearer(() => Response.json(busy, { status: 429 })));
    expect(await failure(host)).toMatchObject({
      code: 'registry-rate-limited',
      message: `Get "http://${host}/v2/": toomanyrequests: slow`,
    });
  });

  test('against nobody', async () => {
    const port = await freePort();
    expect(await failure(`127.0.0.1:${port}`)).toMatchObject({
      message: `Get "http://127.0.0.1:${port}/v2/": dial tcp 127.0.0.1:${port}: connect: connection refused`,
    });
    expect(await failure('nosuch.invalid')).toMatchObject({
      message: 'Get "https://nosuch.invalid/v2/": dial tcp: lookup nosuch.invalid: no such host',
    });
  });

  test('against an address that is none', async () => {
    expect(await failure('http://a b')).toMatchObject({
      kind: 'invalid',
      message: 'unable to parse server address: parse "http://a b": invalid host name',
    });
  });
});
