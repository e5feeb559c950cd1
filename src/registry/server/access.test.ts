import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../../test/support/failure-of.ts';
import { sampleImage } from '../testing/sample-image.ts';
import { basicCredentials } from './access.ts';
import { FailureLimit } from './failure-limit.ts';
import { HtpasswdAuthenticator, parseHtpasswd } from './htpasswd.ts';
import { MemoryBlobBackend } from './memory-blob-backend.ts';
import { publishImage } from './publish-image.ts';
import { createRegistryHandler } from './registry-handler.ts';
import { TokenIssuer } from './token-issuer.ts';

let directory: string;
let users: string;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-access-'));
  users = join(directory, 'users');
  writeFileSync(users, `# who may push\nann:${await hashOf('right')}\n`);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** As `htpasswd -B` writes it. */
async function hashOf(password: string): Promise<string> {
  return (await Bun.password.hash(password, { algorithm: 'bcrypt', cost: 4 })).replace('$2b$', '$2y$');
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

async function open(options: { anonymousRead?: boolean; failures?: FailureLimit; readOnly?: boolean } = {}) {
  const backend = new MemoryBlobBackend();
  const image = sampleImage(['x']);
  const blobs = [image.config, ...image.layers].map(({ digest, bytes }) => ({
    digest,
    open: () => new Blob([bytes]).stream(),
  }));
  const manifest = { mediaType: image.mediaType, bytes: image.manifest.bytes };
  await publishImage(backend, { repository: 'x', tag: 'v1', manifest, blobs });
  const handler = createRegistryHandler(backend, {
    readOnly: options.readOnly ?? false,
    access: {
      authenticator: await HtpasswdAuthenticator.open(users),
      failures: options.failures ?? new FailureLimit(),
      anonymousRead: options.anonymousRead === true ? new TokenIssuer() : undefined,
    },
  });
  const call = (
    path: string,
    {
      as,
      token,
      method = 'GET',
      from = '192.0.2.1',
    }: { as?: string; token?: string; method?: string; from?: string } = {},
  ) => {
    const headers = new Headers({ host: 'registry:5000' });
    if (as !== undefined) headers.set('authorization', basic(as));
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
    const url = `http://registry:5000/${path.startsWith('/') ? path.slice(1) : `v2/${path}`}`;
    return handler(new Request(url, { method, headers }), { address: from });
  };
  return call;
}

test('asks for a name, in the words that clients know', async () => {
  const call = await open();
  for (const path of ['', 'x/manifests/v1', '_catalog']) {
    const response = await call(path);
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([
      401,
      'Basic realm="Registry"',
    ]);
    expect(await response.json()).toEqual({
      errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }],
    });
  }
  expect((await call('', { as: 'ann:right' })).status).toBe(200);
  expect((await call('x/manifests/v1', { as: 'ann:right' })).status).toBe(200);
  for (const as of ['ann:wrong', 'bob:right', 'ann:', ':right', 'ann'])
    expect((await call('', { as })).status, as).toBe(401);
});

test('anonymous reading: everything but the root, where clients learn to log in', async () => {
  const call = await open({ anonymousRead: true });
  expect((await call('x/manifests/v1')).status).toBe(200);
  expect((await call('_catalog')).status).toBe(200);
  expect((await call('')).status).toBe(401);
  expect((await call('x/blobs/uploads/', { method: 'POST' })).status).toBe(401);
  expect((await call('x/blobs/uploads/', { method: 'POST', as: 'ann:right' })).status).toBe(202);
  // A wrong password is no anonymous visit.
  expect((await call('x/manifests/v1', { as: 'ann:wrong' })).status).toBe(401);
});

test('with anonymous reading, clients are sent for a token, with or without a name', async () => {
  const call = await open({ anonymousRead: true });
  const challenged = async (path: string, method: string) =>
    (await call(path, { method })).headers.get('www-authenticate');
  const realm = 'Bearer realm="http://registry:5000/token",service="registry:5000"';
  expect(await challenged('', 'GET')).toBe(realm);
  expect(await challenged('x/blobs/uploads/', 'POST')).toBe(`${realm},scope="repository:x:pull,push"`);
  const tokenOf = async (as?: string) => {
    const response = await call(
      '/token?service=registry:5000&scope=repository:x:pull',
      as === undefined ? {} : { as },
    );
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const body = (await response.json()) as { token: string; access_token: string; expires_in: number };
    expect([body.access_token, body.expires_in]).toEqual([body.token, 300]);
    return body.token;
  };
  const [nobody, ann] = [await tokenOf(), await tokenOf('ann:right')];
  for (const token of [nobody, ann]) {
    expect((await call('', { token })).status).toBe(200);
    expect((await call('x/manifests/v1', { token })).status).toBe(200);
  }
  const push = { method: 'POST' };
  const refused = await call('x/blobs/uploads/', { ...push, token: nobody });
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
    401,
    `${realm},scope="repository:x:pull,push",error="insufficient_scope"`,
  ]);
  expect((await call('x/blobs/uploads/', { ...push, token: ann })).status).toBe(202);
  const wrong = await call('/token', { as: 'ann:wrong' });
  expect([wrong.status, wrong.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="Registry"']);
  expect((await call('/token', push)).status).toBe(405);
  expect((await (await open())('/token')).status).toBe(404);
});

test('a token of another process, a changed one and an old one are none', () => {
  const issuer = new TokenIssuer();
  const token = issuer.issue('ann', 1000);
  expect(issuer.verify(token, 2000)).toEqual({ username: 'ann' });
  expect(issuer.verify(issuer.issue(undefined, 1000), 2000)).toEqual({ username: undefined });
  expect(issuer.verify(token, 301_001)).toBeUndefined();
  expect(new TokenIssuer().verify(token, 2000)).toBeUndefined();
  const [body = '', signature = ''] = token.split('.');
  const forged = Buffer.from('{"sub":"root","exp":9999999999999}').toString('base64url');
  for (const text of [
    '',
    '.',
    body,
    `${body}.`,
    `${forged}.${signature}`,
    `${body}.${signature}x`,
    'a'.repeat(5000),
  ])
    expect(issuer.verify(text, 2000), text.slice(0, 40)).toBeUndefined();
});

test('read-only holds for those who have a name, too', async () => {
  const call = await open({ readOnly: true });
  expect((await call('x/manifests/v1', { method: 'DELETE', as: 'ann:right' })).status).toBe(403);
});

test('bounds wrong passwords by name and address, and lets the right one of others pass', async () => {
  const call = await open({ failures: new FailureLimit({ perName: 3, perAddress: 5 }) });
  for (let round = 0; round < 3; round++) expect((await call('', { as: 'ann:wrong' })).status).toBe(401);
  const limited = await call('', { as: 'ann:right' });
  expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '60']);
  expect((await call('', { as: 'ann:right', from: '192.0.2.2' })).status).toBe(200);
  for (const name of ['b', 'c']) await call('', { as: `${name}:x` });
  expect((await call('', { as: 'd:x' })).status).toBe(429);
});

test('the right password is never counted, however many at once', async () => {
  const call = await open({ failures: new FailureLimit({ perName: 2 }) });
  const answers = await Promise.all(Array.from({ length: 20 }, () => call('', { as: 'ann:right' })));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
});

const right = async () => true;
const wrong = async () => false;

test('guesses that are sent all at once are bounded as those one after the other', async () => {
  const limit = new FailureLimit({ perName: 3 });
  let verified = 0;
  const guess = async () => {
    verified++;
    await Bun.sleep(5);
    return false;
  };
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => limit.attempt('192.0.2.1', 'ann', guess)),
  );
  expect(verified).toBe(3);
  expect(answers.filter((answer) => answer === undefined)).toHaveLength(17);
});

test('an attempt that fails to be made does not count', async () => {
  const limit = new FailureLimit({ perName: 1 });
  const broken = () => Promise.reject(new Error('broken'));
  expect(await failureOf(limit.attempt('192.0.2.1', 'ann', broken))).toMatchObject({ message: 'broken' });
  expect(await limit.attempt('192.0.2.1', 'ann', right)).toBe(true);
});

test('all addresses of an IPv6 network are one client', async () => {
  const call = await open({ failures: new FailureLimit({ perName: 3 }) });
  for (const host of ['1', '2', 'ffff:1'])
    expect((await call('', { as: 'ann:wrong', from: `2001:db8:1:2::${host}` })).status).toBe(401);
  expect((await call('', { as: 'ann:right', from: '2001:db8:1:2:3::4' })).status).toBe(429);
  expect((await call('', { as: 'ann:right', from: '2001:db8:1:3::1' })).status).toBe(200);
});

test('who is in stays in, whatever others get wrong behind the same address', async () => {
  const call = await open({ failures: new FailureLimit({ perName: 2 }) });
  expect((await call('', { as: 'ann:right' })).status).toBe(200);
  for (let round = 0; round < 3; round++) await call('', { as: 'ann:wrong' });
  expect((await call('', { as: 'ann:wrong' })).status).toBe(429);
  expect((await call('', { as: 'ann:right' })).status).toBe(200);
});

test('FailureLimit bounds what is verified at once, and forgets the oldest of too many names', async () => {
  const limit = new FailureLimit({ perName: 1, atOnce: 2 });
  const pending = Promise.withResolvers<boolean>();
  const settled = ['a', 'b'].map((address) => limit.attempt(address, 'x', () => pending.promise));
  expect(await limit.attempt('c', 'x', right)).toBeUndefined();
  pending.resolve(false);
  expect(await Promise.all(settled)).toEqual([false, false]);
  expect(await limit.attempt('a', 'x', right)).toBeUndefined();
  for (let index = 0; index < 6000; index++) await limit.attempt(`address ${index}`, 'x', wrong);
  expect(await limit.attempt('a', 'x', right)).toBe(true);
});

test('a changed file is read again; a broken one leaves the last in force', async () => {
  const authenticator = await HtpasswdAuthenticator.open(users);
  expect(await authenticator.verify('bob', 'new')).toBe(false);
  const change = async (text: string, seconds: number) => {
    writeFileSync(users, text);
    utimesSync(users, seconds, seconds);
    await Bun.sleep(1010);
  };
  await change(`bob:${await hashOf('new')}\n`, 1000);
  expect(await authenticator.verify('bob', 'new')).toBe(true);
  expect(await authenticator.verify('ann', 'right')).toBe(false);
  await change('garbage\n', 2000);
  expect(await authenticator.verify('bob', 'new')).toBe(true);
});

test.each([
  ['ann:plain'],
  ['ann:$apr1$x$y'],
  ['ann:{SHA}x'],
  [':$2y$05$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'],
  ['ann:$2y$31$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'],
])('parseHtpasswd() refuses %s and does not repeat it', (line) => {
  const message = (() => {
    try {
      parseHtpasswd(`# first\n${line}\n`);
      return '';
    } catch (error) {
      return String(error);
    }
  })();
  expect(message).toContain('line 2');
  expect(message).not.toContain(line.slice(4));
});

test('a file without users lets nobody in', async () => {
  writeFileSync(users, '# nobody yet\n');
  const authenticator = await HtpasswdAuthenticator.open(users);
  expect(await authenticator.verify('ann', 'right')).toBe(false);
  expect(await authenticator.verify('', '')).toBe(false);
});

test('bcrypt looks at 72 bytes of a password, and so do we', async () => {
  writeFileSync(users, `ann:${await hashOf('x'.repeat(72))}\n`);
  const authenticator = await HtpasswdAuthenticator.open(users);
  expect(await authenticator.verify('ann', 'x'.repeat(100))).toBe(true);
  expect(await authenticator.verify('ann', 'x'.repeat(71))).toBe(false);
});

test('a file that is not there is refused by name', async () => {
  expect(await failureOf(HtpasswdAuthenticator.open('/nonexistent/users'))).toMatchObject({
    kind: 'invalid',
    message: expect.stringContaining('/nonexistent/users'),
  });
});

test('basicCredentials() takes RFC 7617 and nothing else', () => {
  expect(basicCredentials(basic('a:b:c'))).toEqual({ username: 'a', password: 'b:c' });
  expect(basicCredentials(basic('ü:ß'))).toEqual({ username: 'ü', password: 'ß' });
  for (const header of [null, '', 'Basic', 'Bearer abc', 'Basic !!!', `Basic ${'a'.repeat(3)}%`])
    expect(basicCredentials(header), String(header)).toBeUndefined();
});
