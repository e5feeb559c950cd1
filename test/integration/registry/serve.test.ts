import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blobOf, patterned, sampleImage } from '../../../src/registry/testing/sample-image.ts';
import { putImage } from '../../support/registry/put-image.ts';
import {
  registryCommand,
  type StandAloneRegistry,
  startStandAloneRegistry,
} from '../../support/registry/stand-alone-registry.ts';

let directory: string;
let root: string;
let running: StandAloneRegistry[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'registry-'));
  root = join(directory, 'root');
  running = [];
});
afterEach(async () => {
  for (const registry of running) await registry.stop('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function serve(...args: string[]): Promise<StandAloneRegistry> {
  const registry = await startStandAloneRegistry(root, args);
  running.push(registry);
  return registry;
}
const blobsIn = () => readdirSync(join(root, 'content/blobs/sha256')).toSorted();
const hexes = (image: ReturnType<typeof sampleImage>) =>
  [image.manifest, image.config, ...image.layers].map(({ digest }) => digest.slice(7)).toSorted();

describe('sampan registry serve', () => {
  test('takes no push unless it was told to', async () => {
    const { url } = await serve();
    const response = await fetch(`${url}/v2/x/blobs/uploads/`, { method: 'POST' });
    expect([response.status, await response.json()]).toEqual([
      403,
      { errors: [{ code: 'DENIED', message: 'this registry is read-only' }] },
    ]);
  }, 30_000);

  test('keeps what was pushed over a restart, and lists it', async () => {
    const first = await serve('--writable');
    const image = sampleImage([patterned(5000)]);
    await putImage(first.url, { repository: 'team/app', tag: 'v1' }, image);
    expect(await first.stop()).toBe(0);
    expect(blobsIn()).toEqual(hexes(image));
    const second = await serve();
    const response = await fetch(`${second.url}/v2/team/app/manifests/v1`);
    expect(await response.bytes()).toEqual(image.manifest.bytes);
    const size = [image.manifest, image.config, ...image.layers].reduce(
      (sum, { bytes }) => sum + bytes.length,
      0,
    );
    const { stdout } = await registryCommand(['ls', '--root', root, '--format', 'json']);
    expect(JSON.parse(stdout)).toEqual({
      repository: 'team/app',
      tag: 'v1',
      digest: image.manifest.digest,
      sizeBytes: size,
      cached: false,
    });
    const table = await registryCommand(['ls', '--root', root]);
    expect(table.stdout).toMatch(
      /^REPOSITORY +TAG +DIGEST +SIZE +ORIGIN\nteam\/app +v1 +[0-9a-f]{12} +[\d.]+kB +pushed\n$/,
    );
    expect((await registryCommand(['ls', '--root', root, '-q'])).stdout).toBe('team/app:v1\n');
    expect(await registryCommand(['ls', '--root', root, 'nosuch'])).toMatchObject({
      exitCode: 1,
      stdout: '',
    });
  }, 30_000);

  test('collects garbage while it runs, and alone', async () => {
    const { url, stop } = await serve('--writable');
    const image = sampleImage(['kept']);
    await putImage(url, { repository: 'app', tag: 'v1' }, image);
    const orphan = blobOf('an orphan');
    const upload = `${url}/v2/app/blobs/uploads/?digest=${orphan.digest}`;
    const gc = (...args: string[]) => registryCommand(['gc', '--root', root, ...args]);
    await fetch(upload, { method: 'POST', body: orphan.bytes });
    expect((await gc()).stdout).toBe('Total reclaimed space: 0B\n');
    const told = await gc('--dry-run', '--grace', '0s');
    expect(told.stdout).toBe(`would remove app@${orphan.digest}\nTotal reclaimable space: 9B\n`);
    expect(blobsIn()).toContain(orphan.digest.slice(7));
    expect((await gc('--grace', '0s')).stdout).toBe(
      `removed app@${orphan.digest}\nTotal reclaimed space: 9B\n`,
    );
    expect(blobsIn()).toEqual(hexes(image));
    await fetch(upload, { method: 'POST', body: orphan.bytes });
    await stop();
    expect((await gc('--grace', '0s')).stdout).toContain(orphan.digest);
    expect(blobsIn()).toEqual(hexes(image));
  }, 30_000);

  test('kill -9 in the middle of an upload leaves nothing half-done', async () => {
    const first = await serve('--writable');
    const image = sampleImage([patterned(3_000_000)]);
    const layer = image.layers[0] ?? image.config;
    const started = await fetch(`${first.url}/v2/app/blobs/uploads/`, { method: 'POST' });
    const session = new URL(started.headers.get('location') ?? '');
    const socket = connect(Number(session.port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      `PUT ${session.pathname}?digest=${layer.digest} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${layer.bytes.length}\r\n\r\n`,
    );
    socket.write(layer.bytes.subarray(0, 2_000_000));
    const standing = async () => Number((await fetch(session)).headers.get('range')?.slice(2) ?? 0);
    while ((await standing()) < 1_900_000) await Bun.sleep(5);
    await first.stop('SIGKILL');
    socket.destroy();
    // Between a blob and its entry, too.
    writeFileSync(join(root, 'content/blobs/sha256', layer.digest.slice(7)), layer.bytes);
    const second = await serve('--writable');
    expect(blobsIn()).toEqual([]);
    expect(await (await fetch(`${second.url}/v2/_catalog`)).json()).toEqual({ repositories: [] });
    expect((await fetch(`${second.url}/v2/app/blobs/${layer.digest}`)).status).toBe(404);
    expect((await fetch(`${second.url}${session.pathname}`)).status).toBe(404);
    await putImage(second.url, { repository: 'app', tag: 'v1' }, image);
    expect(blobsIn()).toEqual(hexes(image));
  }, 30_000);

  test('two processes on one folder: the second is refused', async () => {
    await serve();
    expect(await registryCommand(['serve', '--root', root, '--addr', '127.0.0.1:0'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("Cannot lock the registry's folder"),
    });
  }, 30_000);

  test("an engine's folder is the engine's to serve", async () => {
    const registry = join(directory, 'engine/registry');
    execFileSync('mkdir', ['-p', registry, join(directory, 'engine/content')]);
    symlinkSync('../content', join(registry, 'content'));
    expect(await registryCommand(['serve', '--root', registry])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('belongs to an engine'),
    });
  }, 30_000);

  test('asks for a password over TLS, and for a certificate where told to', async () => {
    makeCertificates(directory);
    const path = (name: string) => join(directory, name);
    const hash = await Bun.password.hash('pw', { algorithm: 'bcrypt', cost: 4 });
    writeFileSync(path('users'), `ann:${hash}\n`);
    const tls = ['--tls-cert', path('s.crt'), '--tls-key', path('s.key')];
    const { url, stop } = await serve('--htpasswd', path('users'), ...tls);
    const ca = readFileSync(path('ca.crt'), 'utf8');
    const authorization = `Basic ${btoa('ann:pw')}`;
    expect((await fetch(`${url}/v2/`, { tls: { ca } })).status).toBe(401);
    await putImage(url, { repository: 'app', tag: 'v1' }, sampleImage(['x']), {
      headers: { authorization },
      tls: { ca },
    });
    const begun = await fetch(`${url}/v2/app/blobs/uploads/`, {
      method: 'POST',
      headers: { authorization },
      tls: { ca },
    });
    expect(begun.headers.get('location')).toStartWith(`${url}/v2/app/blobs/uploads/`);
    await stop();
    const mutual = await serve('--writable', ...tls, '--tls-client-ca', path('ca.crt'));
    const own = { cert: readFileSync(path('c.crt'), 'utf8'), key: readFileSync(path('c.key'), 'utf8') };
    expect((await fetch(`${mutual.url}/v2/_catalog`, { tls: { ca, ...own } })).status).toBe(200);
    const foreign = { cert: readFileSync(path('x.crt'), 'utf8'), key: readFileSync(path('x.key'), 'utf8') };
    for (const certificate of [{}, foreign]) {
      const outcome = await fetch(`${mutual.url}/v2/_catalog`, { tls: { ca, ...certificate } }).then(
        ({ status }) => status,
        () => 'no connection',
      );
      expect(outcome).toBe('no connection');
    }
  }, 30_000);

  test('a mistake in the flags is one line, and makes nothing', async () => {
    const refused = await registryCommand(['serve', '--root', root, '--writable', '--read-only']);
    expect(refused).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: 'sampand: --writable and --read-only exclude each other\n',
    });
    expect(existsSync(root)).toBe(false);
    expect((await registryCommand(['serve', '--nosuch'])).stderr).toContain('unknown flag: --nosuch');
  }, 30_000);
});

/** An authority with a server's and a client's certificate, and a stranger. */
function makeCertificates(into: string): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: into, stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  writeFileSync(join(into, 'ext'), 'subjectAltName=IP:127.0.0.1\n');
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-subj',
    '/CN=authority',
    '-days',
    '2',
  );
  openssl('req', '-x509', ...key, '-keyout', 'x.key', '-out', 'x.crt', '-subj', '/CN=stranger', '-days', '2');
  for (const name of ['s', 'c']) {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'ext',
      '-out',
      `${name}.crt`,
    );
  }
}
