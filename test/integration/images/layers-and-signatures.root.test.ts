import { afterAll, beforeAll, expect, test } from 'bun:test';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RegistryHandler } from '../../../src/registry/server/registry-handler.ts';
import type { RunningRegistry } from '../../../src/registry/server/serve-registry.ts';
import { startFaultyRegistry } from '../../../src/registry/testing/faulty-registry.ts';
import { startDockerRegistry } from '../../../src/registry/testing/running-registry.ts';
import type { ImageLayers } from '../../../src/wire/image-layers.ts';
import { eventually, must } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { makeImage, makeIndex, makeLayer, noise } from '../../support/images/image-maker.ts';
import { pushImage } from '../../support/images/push-image.ts';
import {
  makeClaim,
  makeSignatureManifest,
  signatureTag,
  signClaim,
} from '../../support/images/sign-image.ts';
import { directory, file, makeTar } from '../../support/images/tar-maker.ts';

let seeds: SeedRegistry;
let real: RunningRegistry;
let engine: TestDaemon;
let home: string;

const base = makeLayer(
  makeTar([
    directory('app'),
    file('app/kept', 'kept'),
    file('app/data', noise(50_000, 1)),
    file('app/old', 'old'),
  ]),
);
const upper = makeLayer(makeTar([file('app/data', noise(60_000, 2)), file('app/.wh.old', '')]), 'zstd');
const history = [
  { created_by: 'ADD app' },
  { created_by: 'ENV A=b', empty_layer: true },
  { created_by: 'RUN change' },
];
const first = makeImage([base], { history: history.slice(0, 1) });
const image = makeImage([base, upper], { history });
const arm = makeImage([base], { platform: { os: 'linux', architecture: 'arm64' } });
const index = makeIndex([image, arm]);

beforeAll(async () => {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  seeds = await startSeedRegistry();
  real = await startDockerRegistry();
  engine = await startDaemon({ mirrors: [seeds.url] });
  home = `127.0.0.1:${real.port}`;
  await seeds.publish({ repository: 'library/app', tag: '1' }, first);
  await seeds.publish({ repository: 'library/app', tag: '2' }, image);
  await pushImage(real.url, { repository: 'src/app', tag: 'all' }, index);
});
afterAll(async () => {
  await engine.close();
  await real?.close();
  await seeds?.close();
});

const sampan = (...args: string[]) => engine.run(args, { client: 'sampan' });
const sampanOut = (...args: string[]) => engine.out(args, { client: 'sampan' });
/** Has nothing. */
const nobody: RegistryHandler = Object.assign(async () => new Response(null, { status: 404 }), {
  close: async () => undefined,
});
const headers = { accept: `${index.descriptor.mediaType}, ${image.descriptor.mediaType}` };
const digestAt = async (path: string): Promise<string | null> =>
  (await fetch(`${real.url}/v2/${path}`, { headers })).headers.get('docker-content-digest');

test('layers: files, sizes and what is wasted, with the step that made each', async () => {
  await engine.pull('app:1', 'app:2');
  const { status, body } = await engine.api('GET', '/v1.51/images/app:2/layers?files=1');
  expect(status).toBe(200);
  const { Id, Size, WastedSize, Layers } = JSON.parse(body) as ImageLayers;
  expect({ Id, Size, WastedSize }).toEqual({
    Id: image.descriptor.digest,
    Size: 4 + 50_000 + 3 + 60_000,
    WastedSize: 50_003,
  });
  expect(Layers.map(({ Entries: _, ...layer }) => layer)).toEqual([
    {
      DiffId: base.diffId,
      Digest: base.descriptor.digest,
      BlobSize: base.bytes.length,
      CreatedBy: 'ADD app',
      Created: '',
      Size: 50_007,
      Files: 4,
      WastedSize: 50_003,
    },
    {
      DiffId: upper.diffId,
      Digest: upper.descriptor.digest,
      BlobSize: upper.bytes.length,
      CreatedBy: 'RUN change',
      Created: '',
      Size: 60_000,
      Files: 2,
      WastedSize: 0,
    },
  ]);
  expect(Layers[1]?.Entries).toEqual([
    { Path: '/app/data', Kind: 'modified', Type: 'file', Size: 60_000, Wasted: false },
    { Path: '/app/old', Kind: 'removed', Type: 'file', Size: 0, Wasted: false },
  ]);
  expect(await sampanOut('image', 'layers', 'app:2')).toContain(
    'Total: 110kB in 2 layers, 50kB of it wasted (45%)',
  );
  const missing = await engine.api('GET', '/images/absent/layers');
  expect(missing).toMatchObject({ status: 404, body: '{"message":"No such image: absent:latest"}\n' });
  const platform = encodeURIComponent('{"os":"linux","architecture":"arm64"}');
  expect((await engine.api('GET', `/images/app:2/layers?platform=${platform}`)).status).toBe(404);
});

test('diff of two images', async () => {
  const { body } = await engine.api('GET', '/images/app:1/diff?to=app:2');
  expect(JSON.parse(body)).toEqual({
    From: first.descriptor.digest,
    To: image.descriptor.digest,
    Changes: [
      { Path: '/app/data', Kind: 'modified', Type: 'file', FromSize: 50_000, ToSize: 60_000 },
      { Path: '/app/old', Kind: 'removed', Type: 'file', FromSize: 3, ToSize: 0 },
    ],
  });
  expect(await sampanOut('image', 'diff', '--format', '{{.Kind}} {{.Path}}', 'app:2', 'app:1')).toBe(
    'modified /app/data\nadded /app/old',
  );
  expect((await engine.api('GET', '/images/app:1/diff?to=absent')).status).toBe(404);
  expect((await engine.api('GET', '/images/app:1/diff')).status).toBe(400);
});

test('copy: an index with all its platforms, mounted within one registry; nothing stays here', async () => {
  const before = await engine.out(['images', '-q', '--no-trunc']);
  const told = await sampanOut('image', 'copy', `${home}/src/app:all`, `${home}/dst/app`);
  expect(told).toContain(`The push refers to repository [${home}/dst/app]`);
  expect(told).toContain('Mounted from src/app');
  expect(told).toEndWith(`${home}/dst/app:all`);
  expect(await digestAt('dst/app/manifests/all')).toBe(index.descriptor.digest);
  expect(await digestAt(`dst/app/manifests/${arm.descriptor.digest}`)).toBe(arm.descriptor.digest);
  await sampanOut(
    'image',
    'copy',
    '-q',
    '--platform',
    'linux/arm64',
    `${home}/src/app:all`,
    `${home}/dst/app:arm`,
  );
  expect(await digestAt('dst/app/manifests/arm')).toBe(arm.descriptor.digest);
  await sampanOut('image', 'copy', '-q', 'app:2', `${home}/dst/hub:2`);
  expect(await digestAt('dst/hub/manifests/2')).toBe(image.descriptor.digest);
  expect(await engine.out(['images', '-q', '--no-trunc'])).toBe(before);
});

test('copy refuses what it can do nothing with', async () => {
  const copy = async (query: string) => await engine.api('POST', `/images/copy?${query}`);
  expect(await copy(`from=app:2&to=${home}/x@${image.descriptor.digest}`)).toMatchObject({
    status: 400,
    body: '{"message":"cannot push a digest reference"}\n',
  });
  expect((await copy('from=app:2')).status).toBe(400);
  expect((await copy(`from=UPPER&to=${home}/x:1`)).status).toBe(400);
  expect((await copy(`from=${home}/absent:1&to=${home}/x:1`)).status).toBe(404);
});

test('copy sends each registry its own credentials, and ends with its client', async () => {
  const target = await startFaultyRegistry(nobody);
  const source = await startFaultyRegistry(nobody);
  try {
    const challenge = { 'www-authenticate': 'Basic realm="r"' };
    source.fault = ({ headers: sent }) => {
      if (sent.get('authorization') === null) return { kind: 'answer', status: 401, headers: challenge };
      return undefined;
    };
    const auth = (username: string) =>
      Buffer.from(JSON.stringify({ username, password: 'p' })).toString('base64url');
    const ask = (signal?: AbortSignal) =>
      fetch(`http://d/images/copy?from=127.0.0.1:${source.port}/a:1&to=127.0.0.1:${target.port}/b:1`, {
        method: 'POST',
        unix: engine.socket,
        headers: { 'x-registry-auth': auth('to'), 'x-registry-auth-source': auth('from') },
        ...(signal === undefined ? {} : { signal }),
      });
    expect((await ask()).status).toBe(404);
    const sent = source.requests.flatMap(({ headers: one }) => one.get('authorization') ?? []);
    expect(new Set(sent)).toEqual(new Set([`Basic ${Buffer.from('from:p').toString('base64')}`]));
    source.fault = () => ({ kind: 'silent' });
    source.requests.length = 0;
    const client = new AbortController();
    const gone = ask(client.signal).catch(() => 'gone');
    await eventually(() => source.requests.length > 0, { what: () => 'the copy to begin' });
    client.abort();
    expect(await gone).toBe('gone');
    expect(target.requests).toEqual([]);
  } finally {
    await source.close();
    await target.close();
  }
});

test('search --list-tags names the tags of a repository', async () => {
  expect(await sampanOut('search', '--list-tags', `${home}/src/app`)).toMatch(
    /^NAME +TAG\n\S+\/src\/app +all$/,
  );
  const { status } = await engine.api('GET', `/images/search?listTags=1&term=${home}/never`);
  expect(status).toBe(404);
  expect(await sampanOut('search', '--list-tags', 'app')).toMatch(/app +1\napp +2$/);
});

const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const pem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();

test('a signature policy: what is unsigned is refused before it has a name, what is signed comes in', async () => {
  const policy = join(engine.root, 'policy.json');
  const key = join(engine.root, 'release.pub');
  writeFileSync(key, pem);
  const rules = {
    'docker.io/library/*': { keys: ['release.pub'] },
    [`${home}/*`]: { keys: ['release.pub'] },
  };
  writeFileSync(policy, JSON.stringify({ default: 'accept', repositories: rules }));
  engine.configure({ 'signature-policy': policy });
  await engine.restart();
  await engine.out(['rmi', 'app:1', 'app:2']);
  const { digest } = image.descriptor;
  const layersAsked = () => seeds.requests.filter(({ path }) => path.includes('/blobs/')).length;
  const asked = layersAsked();

  const refused = await engine.run(['pull', 'app:2']);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(
    'Cannot pull app:2: the signature policy for docker.io/library/* wants a signature',
  );
  expect(refused.stderr).toContain(
    `and signatures of ${digest} cannot be looked for (Get "https://registry-1.docker.io/v2/"`,
  );
  expect((await engine.run(['run', '--rm', 'app:2'])).stderr).toContain('cannot be looked for');
  expect((await sampan('create', `app@${digest}`)).stderr).toContain('cannot be looked for');
  expect((await engine.run(['pull', '-a', 'app'])).code).toBe(1);
  expect(layersAsked()).toBe(asked);
  expect(await engine.out(['images', '-aq'])).toBe('');

  // As copied from another repository: the digest is right, the name isn't.
  const foreign = signClaim(makeClaim('docker.io/library/other', digest), pair.privateKey);
  await seeds.publish(
    { repository: 'library/app', tag: signatureTag(digest) },
    makeSignatureManifest([foreign]),
  );
  expect((await engine.run(['pull', 'app:2'])).stderr).toContain('is for "docker.io/library/other"');

  // Docker Hub's name for itself is what cosign claims.
  const own = signClaim(makeClaim('index.docker.io/library/app', digest), pair.privateKey);
  await seeds.publish(
    { repository: 'library/app', tag: signatureTag(digest) },
    makeSignatureManifest([foreign, own]),
  );
  await engine.pull('app:2', `app@${digest}`);
  expect(await engine.out(['image', 'inspect', '-f', '{{.Id}}', 'app:2'])).toBe(digest);

  // An index is signed as one, for whatever platform.
  const ofIndex = signClaim(makeClaim(`${home}/src/app`, index.descriptor.digest), pair.privateKey);
  expect((await engine.run(['pull', `${home}/src/app:all`])).stderr).toContain('has no signature');
  const tag = signatureTag(index.descriptor.digest);
  await pushImage(real.url, { repository: 'src/app', tag }, makeSignatureManifest([ofIndex]));
  await engine.pull(`${home}/src/app:all`);

  // The policy is read for each pull, and one that can't be read lets nothing in.
  writeFileSync(policy, '{');
  expect((await engine.run(['pull', 'app:2'])).stderr).toContain(`Cannot use signature policy ${policy}`);
  writeFileSync(policy, JSON.stringify({ default: 'accept' }));
  await engine.pull('app:1');
});
