import { afterAll, beforeAll, expect, test } from 'bun:test';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { RunningRegistry } from '../../../src/registry/server/serve-registry.ts';
import { startDockerRegistry } from '../../../src/registry/testing/running-registry.ts';
import { eventually, must, run } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { makeImage, makeIndex, makeLayer, noise } from '../../support/images/image-maker.ts';
import { directory, file, makeTar, symlink } from '../../support/images/tar-maker.ts';

let seeds: SeedRegistry;
let real: RunningRegistry;
let engine: TestDaemon;
let home: string;

const layers = [1, 2, 3].map((seed) =>
  makeLayer(makeTar([directory('d'), file(`d/${seed}`, noise(400_000, seed))]), seed === 2 ? 'zstd' : 'gzip'),
);
const image = makeImage(layers);
const arm = makeImage(layers.slice(0, 1), {
  platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
});
const index = makeIndex([arm, image]);

beforeAll(async () => {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  seeds = await startSeedRegistry();
  real = await startDockerRegistry();
  engine = await startDaemon({ mirrors: [seeds.url] });
  home = `127.0.0.1:${real.port}`;
  await seeds.publish({ repository: 'library/app', tag: 'latest' }, index);
  await seeds.publish({ repository: 'library/single', tag: '1' }, image);
});
afterAll(async () => {
  await engine.close();
  await real?.close();
  await seeds?.close();
});

const digestAt = async (path: string): Promise<string | null> =>
  (
    await fetch(`${real.url}/v2/${path}`, {
      headers: { accept: `${image.descriptor.mediaType}, ${index.descriptor.mediaType}` },
    })
  ).headers.get('docker-content-digest');

const idOf = async (name: string): Promise<string> =>
  await engine.out(['image', 'inspect', '-f', '{{.Id}}', name]);

test('pull, save, rmi, load, push: one digest on every hop', async () => {
  await engine.pull('single:1');
  const id = await idOf('single:1');
  expect(id).toBe(image.descriptor.digest);
  const archive = join(engine.root, 'single.tar');
  await engine.out(['save', '-o', archive, 'single:1']);
  const listing = await must(['tar', 'tvf', archive]);
  for (const blob of [image.descriptor.digest, ...image.blobs.map(({ descriptor }) => descriptor.digest)])
    expect(listing).toContain(`blobs/sha256/${blob.slice(7)}`);
  const manifest = JSON.parse(await must(['tar', 'xOf', archive, 'manifest.json'])) as object;
  expect(manifest).toEqual([
    {
      Config: `blobs/sha256/${image.config.descriptor.digest.slice(7)}`,
      RepoTags: ['single:1'],
      Layers: layers.map(({ descriptor }) => `blobs/sha256/${descriptor.digest.slice(7)}`),
    },
  ]);
  await engine.out(['rmi', 'single:1']);
  expect(await engine.out(['load', '-i', archive])).toBe('Loaded image: single:1');
  expect(await idOf('single:1')).toBe(id);
  await engine.out(['tag', 'single:1', `${home}/team/single:1`]);
  const pushed = await engine.out(['push', `${home}/team/single:1`]);
  expect(pushed).toContain(`The push refers to repository [${home}/team/single]`);
  expect(pushed).toContain(`1: digest: ${id} size: ${image.bytes.length}`);
  expect(await digestAt('team/single/manifests/1')).toBe(id);
  await engine.out(['rmi', 'single:1', `${home}/team/single:1`]);
  await engine.pull(`${home}/team/single:1`);
  expect(await idOf(`${home}/team/single:1`)).toBe(id);
});

test('a push says in lines and facts what it did: pushed, mounted, there already', async () => {
  await engine.pull('single:1');
  await engine.out(['tag', 'single:1', `${home}/lines/a:1`]);
  const push = async (name: string) =>
    (await engine.api('POST', `/images/${home}/${name}/push?tag=1`)).body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const first = await push('lines/a');
  const ids = layers.map(({ descriptor }) => descriptor.digest.slice(7, 19));
  for (const id of ids)
    expect(first.filter((line) => line['id'] === id).at(-1)).toEqual({
      status: expect.stringMatching(/^(Pushed|Mounted from team\/single)$/),
      progressDetail: {},
      id,
    });
  expect(first.slice(-2)).toEqual([
    { status: `1: digest: ${image.descriptor.digest} size: ${image.bytes.length}` },
    {
      progressDetail: {},
      aux: { Tag: '1', Digest: image.descriptor.digest, Size: image.bytes.length },
    },
  ]);
  const again = await push('lines/a');
  for (const id of ids)
    expect(again.filter((line) => line['id'] === id).map(({ status }) => status)).toEqual([
      'Preparing',
      'Layer already exists',
    ]);
  await engine.out(['tag', 'single:1', `${home}/lines/b:1`]);
  const mounted = await push('lines/b');
  for (const id of ids)
    expect(mounted.filter((line) => line['id'] === id).at(-1)?.['status']).toMatch(/^Mounted from /);
  const missing = await engine.run(['push', `${home}/lines/none:1`]);
  expect(missing.code).toBe(1);
  expect(missing.stderr.trim()).toBe(`tag does not exist: ${home}/lines/none:1`);
  await engine.out(['tag', 'single:1', `${home}/lines/a:2`]);
  const all = await engine.out(['push', '-a', `${home}/lines/a`]);
  expect(all).toContain('1: digest: ');
  expect(all).toContain('2: digest: ');
});

test('every tag of a repository by one pull; what a registry has, without one', async () => {
  await engine.out(['rmi', `${home}/lines/a:1`, `${home}/lines/a:2`]);
  const lines = await engine.out(['pull', '-a', `${home}/lines/a`]);
  expect(lines.match(/^[12]: Pulling from lines\/a$/gm)).toHaveLength(2);
  expect(await idOf(`${home}/lines/a:2`)).toBe(image.descriptor.digest);
  const json = async (path: string) => JSON.parse((await engine.api('GET', path)).body) as unknown;
  expect(await json(`/distribution/${home}/lines/a:1/json`)).toEqual({
    Descriptor: {
      mediaType: image.descriptor.mediaType,
      digest: image.descriptor.digest,
      size: image.bytes.length,
    },
    Platforms: [{ architecture: 'amd64', os: 'linux' }],
  });
  expect(await json(`/images/search?term=${home}/lines/a&listTags=1`)).toEqual({
    Name: `${home}/lines/a`,
    Tags: expect.arrayContaining(['1', '2']),
  });
  expect(await engine.api('GET', `/distribution/${home}/lines/none/json`)).toMatchObject({ status: 404 });
  expect((await engine.api('GET', '/distribution/@@/json')).body).toContain('invalid reference format');
  expect(
    await engine.api('POST', '/auth', { username: 'a', password: 'b', serveraddress: home }),
  ).toMatchObject({ status: 200, body: expect.stringContaining('Login Succeeded') });
});

test('an index of which one platform is here: saved and loaded as it came, pushed as the manifest', async () => {
  await engine.pull('app');
  expect(await idOf('app')).toBe(index.descriptor.digest);
  const archive = join(engine.root, 'app.tar');
  await engine.out(['save', '-o', archive, 'app', 'single:1']);
  const names = (await must(['tar', 'tf', archive])).trim().split('\n');
  expect(new Set(names).size).toBe(names.length);
  expect(names).not.toContain(`blobs/sha256/${arm.descriptor.digest.slice(7)}`);
  await engine.out(['rmi', 'app', 'single:1']);
  const gzip = join(engine.root, 'app.tar.gz');
  await must(['sh', '-c', `gzip -c ${archive} > ${gzip}`]);
  expect(await engine.out(['load', '-i', gzip])).toBe('Loaded image: app:latest\nLoaded image: single:1');
  expect(await idOf('app')).toBe(index.descriptor.digest);
  for (const program of ['bzip2', 'xz', 'zstd'].filter((name) => Bun.which(name) !== null)) {
    await engine.out(['rmi', 'single:1']);
    await must(['sh', '-c', `${program} -c < ${archive} > ${archive}.${program}`]);
    expect(await engine.out(['load', '-i', `${archive}.${program}`])).toContain('Loaded image: single:1');
  }
  const one = join(engine.root, 'one.tar');
  await engine.out(['save', '--platform', 'linux/amd64', '-o', one, 'app']);
  expect(JSON.parse(await must(['tar', 'xOf', one, 'index.json']))).toMatchObject({
    manifests: [
      {
        digest: image.descriptor.digest,
        annotations: { 'io.containerd.image.name': 'docker.io/library/app:latest' },
      },
    ],
  });
  const none = await engine.run(['save', '--platform', 'linux/s390x', '-o', one, 'app']);
  expect([none.code, none.stderr]).toEqual([
    1,
    expect.stringContaining('does not provide the specified platform (linux/s390x)'),
  ]);
  const wrong = await engine.run(['load', '--platform', 'linux/s390x', '-i', archive]);
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('(linux/s390x)')]);
  await engine.out(['tag', 'app', `${home}/team/app`]);
  expect(await engine.out(['push', `${home}/team/app`])).toContain(image.descriptor.digest);
  expect(await digestAt('team/app/manifests/latest')).toBe(image.descriptor.digest);
});

test("Docker's archives before 25 and before 1.10: layer tars, links, repositories", async () => {
  const oldLayers = [11, 12, 13].map((seed) => makeLayer(makeTar([file(`o${seed}`, noise(200_000, seed))])));
  const tars = oldLayers.map(({ tar }) => tar);
  const config = makeImage(oldLayers).config.bytes;
  const configName = `${createHash('sha256').update(config).digest('hex')}.json`;
  const ids = ['a', 'b', 'c'].map((letter) => letter.repeat(64));
  const old = makeTar([
    file(configName, config),
    ...ids.flatMap((id, at) => [
      directory(id),
      file(`${id}/VERSION`, '1.0'),
      file(
        `${id}/json`,
        JSON.stringify({
          id,
          ...(at === 0 ? {} : { parent: ids[at - 1] }),
          os: 'linux',
          architecture: 'amd64',
          config: { Cmd: ['sh'] },
        }),
      ),
      at === 2 ? symlink(`${id}/layer.tar`, '../real/layer.tar') : file(`${id}/layer.tar`, tars[at] ?? ''),
    ]),
    file('real/layer.tar', tars[2] ?? ''),
    file(
      'manifest.json',
      JSON.stringify([
        { Config: configName, RepoTags: ['old:1', 'old:2'], Layers: ids.map((id) => `${id}/layer.tar`) },
      ]),
    ),
    file('repositories', JSON.stringify({ old: { '1': ids[2] } })),
  ]);
  const archive = join(engine.root, 'old.tar');
  writeFileSync(archive, old);
  expect(await engine.out(['load', '-i', archive])).toBe('Loaded image: old:1\nLoaded image: old:2');
  expect(
    JSON.parse(await engine.out(['image', 'inspect', '-f', '{{json .RootFS.Layers}}', 'old:1'])) as string[],
  ).toEqual(oldLayers.map(({ diffId }) => diffId));
  // An uncompressed blob and the layer's tar are one file.
  for (const { diffId } of oldLayers)
    expect(statSync(join(engine.dataRoot, 'content/blobs/sha256', diffId.slice(7))).nlink).toBe(2);
  const ancient = makeTar([
    ...ids.flatMap((id, at) => [
      file(
        `${id}/json`,
        JSON.stringify({
          id,
          ...(at === 0 ? {} : { parent: ids[at - 1] }),
          os: 'linux',
          architecture: 'amd64',
          config: { Cmd: ['old'] },
        }),
      ),
      file(`${id}/layer.tar`, tars[at] ?? ''),
    ]),
    file('repositories', JSON.stringify({ ancient: { '1': ids[2] } })),
  ]);
  writeFileSync(archive, ancient);
  expect(await engine.out(['load', '-i', archive])).toBe('Loaded image: ancient:1');
  expect(await engine.out(['image', 'inspect', '-f', '{{json .Config.Cmd}}', 'ancient:1'])).toBe('["old"]');
  await engine.out(['rmi', 'old:1', 'old:2', 'ancient:1']);
});

test('a client that leaves in the middle of a load leaves nothing', async () => {
  const archive = join(engine.root, 'app.tar');
  const bytes = readFileSync(archive);
  const controller = new AbortController();
  let sent = false;
  const body = new ReadableStream<Uint8Array>({
    pull(stream) {
      if (sent) {
        controller.abort();
        return new Promise(() => undefined);
      }
      sent = true;
      stream.enqueue(bytes.subarray(0, bytes.length >> 1));
      return undefined;
    },
  });
  const init = { method: 'POST', unix: engine.socket, body, signal: controller.signal };
  await fetch('http://d/images/load', init).catch(() => undefined);
  await Bun.sleep(500);
  expect(engine.traces().files).toEqual([]);
});

test('a client that leaves in the middle of a push or save lets go of what was held', async () => {
  const big = makeImage([makeLayer(makeTar([file('big', noise(8_000_000, 77))]))]);
  await seeds.publish({ repository: 'library/big', tag: 'latest' }, big);
  await engine.pull('big');
  const slow = Bun.serve({
    port: 0,
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      if (request.method === 'PUT') {
        await Bun.sleep(20_000);
        return new Response(null, { status: 201 });
      }
      if (pathname === '/v2/') return new Response('{}');
      if (request.method === 'HEAD') return new Response(null, { status: 404 });
      return new Response(null, { status: 202, headers: { location: `${pathname}x` } });
    },
  });
  const name = `127.0.0.1:${slow.port}/big`;
  await engine.out(['tag', 'big', name]);
  for (const path of [`/images/${name}/push?tag=latest`, '/images/big/get']) {
    const controller = new AbortController();
    const init = {
      method: path.endsWith('get') ? 'GET' : 'POST',
      unix: engine.socket,
      signal: controller.signal,
    };
    const response = await fetch(`http://d${path}`, init);
    const reader = response.body?.getReader();
    await reader?.read();
    controller.abort();
    await reader?.cancel().catch(() => undefined);
  }
  await Bun.sleep(300);
  await engine.out(['rmi', 'big', name]);
  const blob = join(engine.dataRoot, 'content/blobs/sha256', big.blobs[1]!.descriptor.digest.slice(7));
  await eventually(() => !existsSync(blob), { what: () => 'the blob to go: a lease was left' });
  await slow.stop(true);
});

test('save and load refuse in words: nothing by that name, no archive of images', async () => {
  expect(await engine.api('GET', '/images/nosuch/get')).toEqual({
    status: 404,
    body: '{"message":"No such image: nosuch:latest"}\n',
  });
  const bad = await run([...engine.command(['load'])], { env: engine.env, stdin: makeTar([file('x', 'y')]) });
  expect(bad.code).toBe(1);
  expect(bad.stderr).toContain('unrecognized image format');
});

test('what is removed while it is saved, or was made here and pushed, leaves nothing behind', async () => {
  const blobs = (): string[] => readdirSync(join(engine.dataRoot, 'content/blobs/sha256'));
  await engine.out(['image', 'prune', '-af']);
  const before = new Set(blobs());
  // What the tests before have left may go meanwhile.
  const added = (): string[] => blobs().filter((blob) => !before.has(blob));
  const tar = join(engine.root, 'made.tar');
  writeFileSync(tar, makeTar([file('noise', noise(3_000_000, 77))]));
  for (const round of [1, 2]) {
    const name = `${home}/made:${round}`;
    await engine.out(['import', tar, name]);
    await engine.out(['push', '-q', name]);
    await engine.out(['rmi', name]);
  }
  await eventually(() => added().length === 0, { what: () => `${added().join()} to go` });
  const large = join(engine.root, 'large.tar');
  writeFileSync(large, makeTar([file('noise', randomBytes(20_000_000))]));
  await engine.out(['import', large, 'slowly-saved']);
  const saving = await new Promise<IncomingMessage>((answered, failed) => {
    get({ socketPath: engine.socket, path: '/images/slowly-saved/get' }, answered).on('error', failed);
  });
  await engine.out(['rmi', 'slowly-saved']);
  expect(added()).not.toEqual([]);
  let bytes = 0;
  for await (const chunk of saving) bytes += (chunk as Uint8Array).length;
  expect(bytes).toBeGreaterThan(20_000_000);
  await eventually(() => added().length === 0, { what: () => `${added().join()} to go` });
});
