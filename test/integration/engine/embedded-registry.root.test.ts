import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startDockerRegistry } from '../../../src/registry/testing/running-registry.ts';
import { patterned, sampleImage } from '../../../src/registry/testing/sample-image.ts';
import { must } from '../../support/engine/command.ts';
import { TestDaemon } from '../../support/engine/test-daemon.ts';
import { makeImage, makeLayer, noise } from '../../support/images/image-maker.ts';
import { pushImage } from '../../support/images/push-image.ts';
import { file, makeTar } from '../../support/images/tar-maker.ts';
import { putImage } from '../../support/registry/put-image.ts';
import { registryCommand } from '../../support/registry/stand-alone-registry.ts';

const REGISTRY = 'http://127.0.0.1:5057';
const authorization = `Basic ${btoa('ann:pw')}`;
let engine: TestDaemon;

beforeAll(async () => {
  engine = new TestDaemon({ mirrors: [REGISTRY], config: { 'embedded-registry': '127.0.0.1:5057' } });
  const users = join(engine.root, 'users');
  const hash = await Bun.password.hash('pw', { algorithm: 'bcrypt', cost: 4 });
  writeFileSync(users, `ann:${hash}\n`);
  engine.configure({ 'embedded-registry-htpasswd': users });
  const bun = process.execPath;
  await must([bun, resolve(import.meta.dir, '../../../scripts/seed/seed.ts'), engine.dataRoot]);
  makeOfOldLayout(engine.dataRoot);
  await engine.start();
});
afterAll(() => engine.close());

/** As the first release left it: the registry with a store of its own. */
function makeOfOldLayout(dataRoot: string): void {
  const own = join(dataRoot, 'registry/content');
  rmSync(own);
  renameSync(join(dataRoot, 'content'), own);
  rmSync(join(dataRoot, 'registry/lock'));
  mkdirSync(join(own, 'ingest'), { recursive: true });
}

const blobs = () => new Set(readdirSync(join(engine.dataRoot, 'content/blobs/sha256')));
const client = (...args: string[]) => engine.out(args);

test('a store of an earlier release is taken over, and pulled from the bytes that are there', async () => {
  expect(lstatSync(join(engine.dataRoot, 'registry/content')).isSymbolicLink()).toBe(true);
  const before = blobs();
  expect(before.size).toBeGreaterThan(5);
  const owned = async (name: string) => {
    const { Owners } = JSON.parse((await engine.api('GET', '/system/df')).body) as {
      Owners: { Name: string; Size: number }[];
    };
    return Owners.find(({ Name }) => Name === name)?.Size ?? 0;
  };
  // Nothing that a prune of images could free.
  expect(await owned('images')).toBeLessThan(100_000);
  const ofRegistry = await owned('registry');
  expect(ofRegistry).toBeGreaterThan(500_000);
  await client('pull', 'hello-world');
  expect(await owned('images')).toBeGreaterThan(10_000);
  expect(await owned('registry')).toBeLessThan(ofRegistry);
  expect(await client('run', '--rm', 'hello-world')).toContain('Hello from Sampan');
  expect(blobs()).toEqual(before);
});

test('a search of the registry needs no hub', async () => {
  expect(await client('search', '--format', '{{.Name}} {{.IsOfficial}}', '127.0.0.1:5057/hello')).toContain(
    'hello-world',
  );
  expect(await client('search', '--format', '{{.Name}}', '127.0.0.1:5057/nosuch')).toBe('');
});

test('what the registry names outlives the image, and a restart', async () => {
  const before = blobs();
  await client('rmi', '-f', 'hello-world');
  expect(blobs()).toEqual(before);
  await engine.stop();
  await engine.start();
  expect(blobs()).toEqual(before);
  await client('pull', 'hello-world');
});

test('a push takes a password; what was pushed is stored once and goes when nobody names it', async () => {
  const image = sampleImage([patterned(100_000)]);
  const refused = await fetch(`${REGISTRY}/v2/mine/app/blobs/uploads/`, { method: 'POST' });
  expect(refused.status).toBe(401);
  const before = blobs();
  await putImage(REGISTRY, { repository: 'mine/app', tag: 'v1' }, image, { headers: { authorization } });
  const added = [image.manifest, image.config, ...image.layers].map(({ digest }) => digest.slice(7));
  expect(blobs().difference(before)).toEqual(new Set(added));
  const registry = join(engine.dataRoot, 'registry');
  expect((await registryCommand(['ls', '--root', registry, '-q'])).stdout).toBe(
    'library/busybox:latest\nlibrary/hello-world:latest\nmine/app:v1\n',
  );
  const manifest = `${REGISTRY}/v2/mine/app/manifests/${image.manifest.digest}`;
  expect((await fetch(manifest, { method: 'DELETE', headers: { authorization } })).status).toBe(202);
  const { stdout, stderr } = await registryCommand(['gc', '--root', registry, '--grace', '0s']);
  expect([stdout.trim().split('\n').length, stderr]).toEqual([3, '']);
  expect(blobs()).toEqual(before);
}, 30_000);

test('the engine pushes to its own registry: one digest, and no byte twice', async () => {
  await client('pull', 'busybox');
  const before = blobs();
  await engine.out(['login', '-u', 'ann', '--password-stdin', '127.0.0.1:5057'], { stdin: 'pw' });
  const name = '127.0.0.1:5057/mine/busybox:v1';
  await client('tag', 'busybox', name);
  const pushed = /digest: (sha256:[0-9a-f]{64})/.exec(await client('push', name))?.[1];
  await client('logout', '127.0.0.1:5057');
  expect(blobs()).toEqual(before);
  await client('rmi', name);
  await client('pull', '-q', name);
  const digests = await client('image', 'inspect', '-f', '{{json .RepoDigests}}', name);
  expect(digests).toContain(`127.0.0.1:5057/mine/busybox@${pushed}`);
  const original = await client('image', 'inspect', '-f', '{{.Id}}', 'busybox');
  expect(await client('image', 'inspect', '-f', '{{.Id}}', name)).toBe(original);
}, 60_000);

test('what nobody but the registry names goes at the next start, when its links went while the engine was away', async () => {
  const image = sampleImage(['left behind']);
  await putImage(REGISTRY, { repository: 'mine/app', tag: 'v1' }, image, { headers: { authorization } });
  await engine.stop();
  rmSync(join(engine.dataRoot, 'registry/repositories/mine'), { recursive: true });
  await engine.start();
  expect(blobs().has(image.config.digest.slice(7))).toBe(false);
  expect(existsSync(join(engine.dataRoot, 'registry/repositories/library'))).toBe(true);
}, 30_000);

test('with an upstream, a pull goes through it and leaves each blob once', async () => {
  const upstream = await startDockerRegistry();
  try {
    const image = makeImage([makeLayer(makeTar([file('hello', noise(300_000))]))]);
    await pushImage(upstream.url, { repository: 'library/through', tag: 'latest' }, image);
    await engine.stop();
    engine.configure({ 'embedded-registry-proxy': upstream.url });
    await engine.start();
    const before = blobs();
    await client('pull', 'through');
    const added = blobs().difference(before);
    for (const { descriptor } of [...image.blobs, image]) expect(added).toContain(descriptor.digest.slice(7));
    await client('rmi', 'through');
    const { stdout } = await registryCommand([
      'ls',
      '--root',
      join(engine.dataRoot, 'registry'),
      'library/through',
    ]);
    expect(stdout).toMatch(/library\/through +latest .* cached\n/);
    await upstream.close();
    await client('pull', 'through');
  } finally {
    await upstream.close();
  }
}, 60_000);
