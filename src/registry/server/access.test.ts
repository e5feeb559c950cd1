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
      anonymousRead: options.anonymousRead ?? false,
    },
  });
  const call = (
    path: string,
    { as, method = 'GET', from = '192.0.2.1' }: { as?: string; method?: string; from?: string } = {},
  ) => {
    const headers: Record<string, string> = as === undefined ? {} : { authorization: basic(as) };
    return handler(new Request(`http://registry/v2/${path}`, { method, headers }), { address: from });
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

test('FailureLimit bounds what is verified at once, and forgets the oldest of too many names', async () => {
  const limit = new FailureLimit({ perName: 1, atOnce: 2 });
  const pending = Promise.withResolvers<boolean>();
  const settled = ['a', 'b'].map(async (address) => limit.begin(address, 'x')?.settle(pending.promise));
  expect(limit.begin('c', 'x')).toBeUndefined();
  pending.resolve(false);
  await Promise.all(settled);
  expect(limit.begin('a', 'x')).toBeUndefined();
  for (let index = 0; index < 6000; index++)
    await limit.begin(`address ${index}`, 'x')?.settle(Promise.resolve(false));
  expect(limit.begin('a', 'x')).toBeDefined();
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
