import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { type SocksServer, startSocksServer } from '../../../src/registry/testing/socks-server.ts';
import { must } from '../../support/engine/command.ts';
import { dockerPlugin, installPlugin } from '../../support/engine/docker-plugins.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import {
  jsonBytes,
  type MadeImage,
  makeBlob,
  makeImage,
  makeIndex,
  makeLayer,
} from '../../support/images/image-maker.ts';
import { pushImage } from '../../support/images/push-image.ts';
import { directory, file, makeTar } from '../../support/images/tar-maker.ts';

// The stock client against our daemon and our registry.
let registry: SeedRegistry;
let proxy: SocksServer;
let engine: TestDaemon;
let home: string;

const tar = makeTar([directory('d'), file('d/a', 'content')]);
const long = makeImage([makeLayer(tar, 'gzip', 'sha512')], { algorithm: 'sha512' });

beforeAll(async () => {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  registry = await startSeedRegistry();
  home = `127.0.0.1:${registry.port}`;
  proxy = await startSocksServer({ port: registry.port, login: 'me:hunter2' });
  const socks = `socks5://me:hunter2@${proxy.address}`;
  engine = await startDaemon({
    args: [
      `--http-proxy=${socks}`,
      `--https-proxy=socks5h://me:wrong@${proxy.address}`,
      '--insecure-registry=registry.invalid:5000',
    ],
  });
  await pushImage(registry.url, { repository: 'long', tag: '1' }, long);
});
afterAll(async () => {
  await engine.close();
  await proxy?.close();
  await registry?.close();
});

const digestAt = async (path: string): Promise<string | null> =>
  (await fetch(`${registry.url}/v2/${path}`, { method: 'HEAD' })).headers.get('docker-content-digest');

test('an image of sha512 digests: pull by both names, create, save, load, push, rmi', async () => {
  const { digest } = long.descriptor;
  expect(await engine.out(['pull', '-q', `${home}/long:1`])).toBe(`${home}/long:1`);
  expect(await engine.out(['pull', '-q', `${home}/long@${digest}`])).toBe(`${home}/long@${digest}`);
  expect(await engine.out(['image', 'inspect', '-f', '{{.Id}} {{index .RepoDigests 0}}', digest])).toBe(
    `${digest} ${home}/long@${digest}`,
  );
  const short = digest.slice(7, 19);
  for (const client of ['docker', 'sampan'] as const)
    expect(await engine.out(['images', '-q', `${home}/long`], { client })).toContain(short);
  expect(await engine.out(['create', `${home}/long@${digest}`])).toMatch(/^[0-9a-f]{64}$/);
  const archive = join(engine.root, 'long.tar');
  await engine.out(['save', '-o', archive, `${home}/long:1`]);
  await engine.out(['rmi', '-f', short]);
  expect(await engine.out(['load', '-i', archive])).toBe(`Loaded image: ${home}/long:1`);
  await engine.out(['tag', `${home}/long:1`, `${home}/copy:1`]);
  expect(await engine.out(['push', `${home}/copy:1`])).toContain(`1: digest: ${digest}`);
  expect(await digestAt('copy/manifests/1')).toBe(digest);
});

/** What buildx pushes by default: an index of one platform and what is attested of it. */
function attested(image: MadeImage) {
  const statement = makeBlob(
    jsonBytes({ predicateType: 'https://slsa.dev/provenance/v0.2' }),
    'application/vnd.in-toto+json',
  );
  const config = makeBlob(
    jsonBytes({ os: 'unknown', architecture: 'unknown', rootfs: { type: 'layers', diff_ids: [] } }),
    'application/vnd.oci.image.config.v1+json',
  );
  const manifest = makeBlob(
    jsonBytes({
      schemaVersion: 2,
      mediaType: image.descriptor.mediaType,
      config: config.descriptor,
      layers: [statement.descriptor],
    }),
    image.descriptor.mediaType,
  );
  const annotations = {
    'vnd.docker.reference.digest': image.descriptor.digest,
    'vnd.docker.reference.type': 'attestation-manifest',
  };
  const platform = { os: 'unknown', architecture: 'unknown' };
  const index = makeIndex([image], [{ ...manifest.descriptor, annotations, platform }]);
  return {
    ...index,
    blobs: [...index.blobs, config, statement],
    manifests: [...index.manifests, manifest],
    attestation: manifest,
  };
}

test("a pulled image's attestation is listed, and goes on with it", async () => {
  const index = attested(makeImage([makeLayer(tar)]));
  await pushImage(registry.url, { repository: 'attested', tag: '1' }, index);
  await engine.out(['pull', '-q', `${home}/attested:1`]);
  const inspected = await fetch(`http://docker/v1.51/images/${home}/attested:1/json?manifests=true`, {
    unix: engine.socket,
  });
  const { Manifests } = (await inspected.json()) as { Manifests: object[] };
  expect(Manifests).toMatchObject([
    { Kind: 'image', Available: true },
    {
      Kind: 'attestation',
      Available: true,
      ID: index.attestation.descriptor.digest,
      AttestationData: { For: index.manifests[1]?.descriptor.digest },
    },
  ]);
  await engine.out(['tag', `${home}/attested:1`, `${home}/again:1`]);
  const pushed = await engine.out(['push', `${home}/again:1`]);
  expect(pushed).toContain(`1: digest: ${index.descriptor.digest}`);
  expect(pushed).not.toContain('Not all multiplatform-content');
  expect(await digestAt('again/manifests/1')).toBe(index.descriptor.digest);
  if (dockerPlugin('buildx') === undefined) return;
  const config = join(engine.root, 'buildx-config');
  installPlugin('buildx', config);
  const env = { DOCKER_CONFIG: config };
  const shown = await engine.out(['buildx', 'imagetools', 'inspect', `${home}/again:1`], { env });
  expect(shown).toContain(index.descriptor.digest);
  expect(shown).toContain('attestation-manifest');
});

test('a pull through a SOCKS proxy, and one that it refuses, with no password in any word', async () => {
  await pushImage(registry.url, { repository: 'far', tag: '1' }, makeImage([makeLayer(tar)]));
  expect(await engine.out(['pull', '-q', 'registry.invalid:5000/far:1'])).toBe('registry.invalid:5000/far:1');
  expect(proxy.asked[0]).toMatchObject({ target: 'registry.invalid:5000', login: 'me:hunter2' });
  const refused = await engine.run(['pull', 'secure.invalid/far:1']);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(
    `Get "https://secure.invalid/v2/": socks connect tcp ${proxy.address}->secure.invalid:443: username/password authentication failed`,
  );
  const info = await engine.out(['info']);
  expect(info).toContain(`HTTP Proxy: socks5://xxxxx:xxxxx@${proxy.address}`);
  for (const text of [refused.stdout, refused.stderr, info]) expect(text).not.toMatch(/hunter2|wrong/);
});
