import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { busybox, packSeed } from '../../../scripts/seed/seed-images.ts';
import { startDockerRegistry } from '../../../src/registry/testing/running-registry.ts';
import { eventually, must, run } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let seeds: SeedRegistry | undefined;
let real: Awaited<ReturnType<typeof startDockerRegistry>> | undefined;
let engine: TestDaemon;

beforeAll(async () => {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  seeds = await startSeedRegistry();
  real = await startDockerRegistry();
  await pushSeed(real.url);
  engine = await startDaemon({ mirrors: [real.url] });
});
afterAll(async () => {
  await engine.close();
  await real?.close();
  await seeds?.close();
});

/** Put busybox into a registry with nothing but HTTP. */
async function pushSeed(url: string): Promise<void> {
  const seed = busybox(
    new TextEncoder().encode('#!not run here'),
    ['bin/sh'],
    process.arch === 'arm64' ? 'arm64' : 'amd64',
  );
  for (const image of await packSeed(seed)) {
    for (const blob of image.blobs) {
      const begin = await fetch(`${url}/v2/${image.repository}/blobs/uploads/`, { method: 'POST' });
      const location = new URL(begin.headers.get('location') ?? '', url);
      location.searchParams.set('digest', blob.digest);
      expect(
        (await fetch(location, { method: 'PUT', body: await new Response(blob.open()).arrayBuffer() }))
          .status,
      ).toBe(201);
    }
    const { mediaType, bytes } = image.manifest;
    const digest = `sha256:${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}`;
    const put = await fetch(`${url}/v2/${image.repository}/manifests/${image.tag ?? digest}`, {
      method: 'PUT',
      headers: { 'content-type': mediaType },
      body: bytes.slice(),
    });
    expect(put.status).toBe(201);
  }
}

function halfFiles(): string[] {
  const list = (path: string) => (existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : []);
  return [
    ...list(join(engine.dataRoot, 'content/ingest')),
    ...list(join(engine.dataRoot, 'layers/erofs/staging')),
  ];
}

test("docker pull from Debian's docker-registry as a mirror of docker.io; history and inspect show layers and config", async () => {
  const pulled = await engine.out(['pull', 'busybox']);
  expect(pulled).toContain('latest: Pulling from library/busybox');
  expect(pulled).toContain(
    'Status: Downloaded newer image for busybox:latest\ndocker.io/library/busybox:latest',
  );
  expect(await engine.out(['pull', 'busybox'])).toContain('Status: Image is up to date for busybox:latest');
  expect(
    (await engine.out(['history', '--format', '{{.CreatedBy}}|{{.Size}}', 'busybox'])).split('\n')[0],
  ).toBe('CMD ["sh"]|0B');
  expect(
    await engine.out([
      'image',
      'inspect',
      '-f',
      '{{json .Config.Cmd}} {{len .RootFS.Layers}} {{.Architecture}}',
      'busybox',
    ]),
  ).toBe(`["sh"] 1 ${process.arch === 'arm64' ? 'arm64' : 'amd64'}`);
  await engine.out(['rmi', 'busybox']);
});

test('mirrors reload on SIGHUP, containers and API stay', async () => {
  engine.configure({ 'registry-mirrors': [seeds?.url ?? ''] });
  await engine.reload();
  expect(await engine.out(['info', '-f', '{{json .RegistryConfig.Mirrors}}'])).toBe(
    JSON.stringify([`${seeds?.url}/`]),
  );
  await engine.out(['pull', 'hello-world']);
  expect(await engine.out(['run', '--rm', 'hello-world'])).toContain('Hello from Sampan!');
});

test.each([
  [['pull', '127.0.0.1:1/x:y'], 'connection refused'],
  [['pull', 'Foo'], /invalid reference format: repository name (\(library\/Foo\) )?must be lowercase/],
  [
    ['pull', '--platform', 'linux/s390x', 'busybox'],
    'no matching manifest for linux/s390x in the manifest list entries',
  ],
  [['run', '--pull', 'never', 'nosuch'], 'No such image: nosuch:latest'],
] as const)('%p is one clear error and leaves nothing', async (args, message) => {
  const { code, stderr } = await engine.run([...args]);
  expect(stderr).toMatch(message);
  expect(code).not.toBe(0);
  expect(halfFiles()).toEqual([]);
});

test('an unknown tag of a known registry', async () => {
  const host = (seeds?.url ?? '').replace('http://', '');
  const { code, stderr } = await engine.run(['pull', `${host}/library/busybox:nosuch`]);
  expect([code, stderr]).toEqual([1, expect.stringContaining('not found')]);
});

test.each(['{', '[]', '{"Image": 5}', ''])(
  'a malformed body is refused and the daemon goes on: %p',
  async (body) => {
    const { status } = await engine.api('POST', '/v1.47/containers/create', body);
    expect(status).toBe(400);
    expect((await engine.api('GET', '/_ping')).body).toBe('OK');
  },
);

test.each([
  [
    '/v1.23/info',
    'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
  ],
  ['/v9.9/info', 'client version 9.9 is too new. Maximum supported API version is 1.51'],
])('an API version outside the range: %p', async (path, message) => {
  // To clients that old Docker answers in plain text.
  expect(await engine.api('GET', path)).toMatchObject({
    status: 400,
    body: expect.stringContaining(message),
  });
});

test.each([
  [{ 'registry-mirors': [] }, [], "don't match any configuration option: registry-mirors"],
  [
    { 'log-level': 'debug' },
    ['--log-level', 'info'],
    'specified both as a flag and in the configuration file: log-level: (from flag: info, from file: debug)',
  ],
])('a bad configuration stops the start and is named: %p', async (config, args, message) => {
  const file = join(engine.root, 'bad.json');
  await Bun.write(file, JSON.stringify(config));
  const { code, stderr } = await run([
    engine.command([], 'sampan')[0]?.replace(/sampan$/, 'sampand') ?? '',
    '--validate',
    '--config-file',
    file,
    ...args,
  ]);
  expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
});

test('two daemons side by side do not touch each other', async () => {
  const other = await startDaemon({ mirrors: [seeds?.url ?? ''], bip: '10.99.0.1/24' });
  try {
    await other.out(['run', '-d', '--name', 'same', 'busybox', 'sleep', '1000']);
    await engine.out(['run', '-d', '--name', 'same', 'busybox', 'sleep', '1000']);
    expect(await other.out(['inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'same'])).toStartWith(
      '10.99.0.',
    );
    await other.out(['rm', '-f', 'same']);
    await other.stop();
    expect(await engine.out(['inspect', '-f', '{{.State.Running}}', 'same'])).toBe('true');
    expect((await engine.run(['run', '--rm', 'busybox', 'true'])).code).toBe(0);
  } finally {
    await other.close();
    await engine.removeContainers();
  }
});

test('ENOSPC: a full data root is one error, and no half image', async () => {
  const small = join(engine.root, 'small');
  await must(['mkdir', '-p', small]);
  await must(['mount', '-t', 'tmpfs', '-o', 'size=2600k', 'tmpfs', small]);
  const tight = await startDaemon({
    mirrors: [seeds?.url ?? ''],
    dataRoot: join(small, 'data'),
    bip: '10.98.0.1/24',
  });
  try {
    const { code, stderr } = await tight.run(['pull', 'busybox']);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/no space left on device/i)]);
    expect(await tight.out(['images', '-q'])).toBe('');
    await eventually(async () => (await tight.api('GET', '/_ping')).body === 'OK');
  } finally {
    await tight.close();
    await run(['umount', '-l', small]);
  }
});
