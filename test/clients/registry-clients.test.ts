import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { busybox, packSeed } from '../../scripts/seed/seed-images.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { DistributionPushClient } from '../../src/registry/client/distribution-push-client.ts';
import type { RegistryRequest } from '../../src/registry/client/registry-client.ts';
import { plainConfig } from '../../src/registry/testing/contract.ts';
import { hasDockerRegistry, startDockerRegistry } from '../../src/registry/testing/running-registry.ts';
import {
  blobOf,
  digestOf,
  OCI_INDEX,
  patterned,
  sampleImage,
} from '../../src/registry/testing/sample-image.ts';
import { failureOf } from '../support/failure-of.ts';
import { putImage } from '../support/registry/put-image.ts';
import { type RegistryClientName, registryClient, runClient } from '../support/registry/registry-clients.ts';
import {
  type StandAloneRegistry,
  startStandAloneRegistry,
} from '../support/registry/stand-alone-registry.ts';

// Clients of others against `sampan registry serve`: digests are the same on every hop.
let directory: string;
let registry: StandAloneRegistry;
let host: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'clients-'));
  registry = await startStandAloneRegistry(join(directory, 'registry'), ['--writable']);
  host = new URL(registry.url).host;
}, 30_000);
afterAll(async () => {
  await registry?.stop();
  rmSync(directory, { recursive: true, force: true });
});

function withClient(
  name: RegistryClientName,
  what: string,
  body: (run: (...args: string[]) => Promise<string>) => Promise<void>,
) {
  if (registryClient(name) === undefined) {
    test(`SKIPPED: ${name} is not here (npm run setup -- --tests): ${what}`, () => undefined);
    return;
  }
  test(`${name} ${what}`, () => body((...args) => runClient(name, args, directory)), 60_000);
}

const digestAt = async (base: string, path: string) => {
  const response = await fetch(`${base}/v2/${path}`, { headers: { accept: `${OCI_INDEX}, */*` } });
  expect(response.status).toBe(200);
  return digestOf(await response.bytes());
};

/** An index of two platforms, put there with nothing but HTTP. */
async function putIndex(repository: string): Promise<Digest> {
  const packed = await Promise.all(
    (['amd64', 'arm64'] as const).map((architecture) =>
      packSeed(busybox(patterned(50_000, architecture.length), ['bin/sh'], architecture)),
    ),
  );
  const children = packed.flatMap((images) => images.filter(({ tag }) => tag === undefined));
  const manifests: object[] = [];
  for (const [index, { manifest, blobs }] of children.entries()) {
    for (const blob of blobs)
      await fetch(`${registry.url}/v2/${repository}/blobs/uploads/?digest=${blob.digest}`, {
        method: 'POST',
        body: await new Response(blob.open()).bytes(),
      });
    const digest = digestOf(manifest.bytes);
    const put = await fetch(`${registry.url}/v2/${repository}/manifests/${digest}`, {
      method: 'PUT',
      body: manifest.bytes.slice(),
      headers: { 'content-type': manifest.mediaType },
    });
    expect(put.status).toBe(201);
    const platform = { os: 'linux', architecture: index === 0 ? 'amd64' : 'arm64' };
    manifests.push({ mediaType: manifest.mediaType, digest, size: manifest.bytes.length, platform });
  }
  const body = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  const headers = { 'content-type': OCI_INDEX };
  const put = await fetch(`${registry.url}/v2/${repository}/manifests/multi`, {
    method: 'PUT',
    body,
    headers,
  });
  expect(put.status).toBe(201);
  return digestOf(new TextEncoder().encode(body));
}

withClient('skopeo', 'copies an index out, to another registry and back', async (run) => {
  const digest = await putIndex('hops/first');
  const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false'];
  const copy = (from: string, to: string) =>
    run('--insecure-policy', 'copy', '--all', '--preserve-digests', ...insecure, from, to);
  await copy(`docker://${host}/hops/first:multi`, `oci:${directory}/layout:multi`);
  await copy(`oci:${directory}/layout:multi`, `docker://${host}/hops/second:multi`);
  expect(await digestAt(registry.url, 'hops/second/manifests/multi')).toBe(digest);
  if (hasDockerRegistry()) {
    const other = await startDockerRegistry();
    try {
      await copy(`docker://${host}/hops/second:multi`, `docker://127.0.0.1:${other.port}/hops:multi`);
      expect(await digestAt(other.url, 'hops/manifests/multi')).toBe(digest);
      await copy(`docker://127.0.0.1:${other.port}/hops:multi`, `docker://${host}/hops/third:multi`);
    } finally {
      await other.close();
    }
    expect(await digestAt(registry.url, 'hops/third/manifests/multi')).toBe(digest);
  }
  const tags = await run('list-tags', '--tls-verify=false', `docker://${host}/hops/second`);
  expect(JSON.parse(tags)).toMatchObject({ Tags: ['multi'] });
  await run('delete', '--tls-verify=false', `docker://${host}/hops/second:multi`);
  expect((await fetch(`${registry.url}/v2/hops/second/manifests/multi`)).status).toBe(404);
});

withClient('crane', 'lists, copies, tags and deletes', async (run) => {
  const image = sampleImage([patterned(20_000), 'small']);
  await putImage(registry.url, { repository: 'crane/a', tag: 'v1' }, image);
  const name = `${host}/crane/a:v1`;
  expect((await run('digest', name)).trim()).toBe(image.manifest.digest);
  await run('copy', name, `${host}/crane/b:v2`);
  expect((await run('digest', `${host}/crane/b:v2`)).trim()).toBe(image.manifest.digest);
  await run('tag', `${host}/crane/b:v2`, 'latest');
  expect((await run('ls', `${host}/crane/b`)).split('\n').filter(Boolean)).toEqual(['latest', 'v2']);
  expect(await run('catalog', host)).toContain('crane/b\n');
  expect(digestOf(new TextEncoder().encode(await run('manifest', name)))).toBe(image.manifest.digest);
  await run('delete', `${host}/crane/b@${image.manifest.digest}`);
  expect((await fetch(`${registry.url}/v2/crane/b/manifests/v2`)).status).toBe(404);
});

withClient('oras', 'pushes an artifact, attaches to it, discovers and pulls', async (run) => {
  writeFileSync(join(directory, 'sbom.json'), '{"made":"here"}');
  const name = `${host}/oras/art:v1`;
  await run('push', '--plain-http', '--artifact-type', 'application/x-sbom', name, 'sbom.json');
  await run('attach', '--plain-http', '--artifact-type', 'application/x-signature', name, 'sbom.json');
  const found = await run('discover', '--plain-http', '--format', 'json', name);
  expect(JSON.stringify(JSON.parse(found))).toContain('application/x-signature');
  await run('copy', '--recursive', '--from-plain-http', '--to-plain-http', name, `${host}/oras/copy:v1`);
  expect(await digestAt(registry.url, 'oras/copy/manifests/v1')).toBe(
    await digestAt(registry.url, 'oras/art/manifests/v1'),
  );
  const copied = await run('discover', '--plain-http', '--format', 'json', `${host}/oras/copy:v1`);
  expect(copied).toContain('application/x-signature');
  await run('pull', '--plain-http', '-o', join(directory, 'pulled'), `${host}/oras/copy:v1`);
  expect(readFileSync(join(directory, 'pulled/sbom.json'), 'utf8')).toBe('{"made":"here"}');
});

// The same registry asks some for a name: reading takes none, pushing does.
describe('with users', () => {
  let guarded: StandAloneRegistry;
  let name: string;
  beforeAll(async () => {
    const hash = await Bun.password.hash('pw', { algorithm: 'bcrypt', cost: 4 });
    writeFileSync(join(directory, 'users'), `ann:${hash}\n`);
    const options = ['--htpasswd', join(directory, 'users'), '--anonymous-read'];
    guarded = await startStandAloneRegistry(join(directory, 'guarded'), options);
    name = new URL(guarded.url).host;
    await putImage(registry.url, { repository: 'plain', tag: 'v1' }, sampleImage(['copied']));
    const headers = { authorization: `Basic ${btoa('ann:pw')}` };
    await putImage(guarded.url, { repository: 'open', tag: 'v1' }, sampleImage(['open']), { headers });
  }, 30_000);
  afterAll(() => guarded?.stop());

  withClient('skopeo', 'reads without a name and pushes with one', async (run) => {
    const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false'];
    await run('--insecure-policy', 'copy', ...insecure, `docker://${name}/open:v1`, `oci:${directory}/o:v1`);
    const push = ['copy', ...insecure, `docker://${host}/plain:v1`, `docker://${name}/skopeo:v1`];
    expect(await failureOf(run('--insecure-policy', ...push))).toBeInstanceOf(Error);
    await run('--insecure-policy', ...push, '--dest-creds', 'ann:pw');
    expect((await fetch(`${guarded.url}/v2/skopeo/manifests/v1`)).status).toBe(200);
  });

  withClient('crane', 'reads without a name and pushes with one', async (run) => {
    expect(await run('ls', `${name}/open`)).toBe('v1\n');
    expect(await failureOf(run('copy', `${host}/plain:v1`, `${name}/crane:v1`))).toBeInstanceOf(Error);
    await run('auth', 'login', name, '-u', 'ann', '-p', 'pw');
    await run('copy', `${host}/plain:v1`, `${name}/crane:v1`);
    await run('auth', 'logout', name);
    expect((await fetch(`${guarded.url}/v2/crane/manifests/v1`)).status).toBe(200);
  });

  withClient('oras', 'reads without a name and pushes with one', async (run) => {
    expect(await run('repo', 'tags', '--plain-http', `${name}/open`)).toBe('v1\n');
    const push = ['push', '--plain-http', `${name}/oras:v1`, 'users'];
    expect(await failureOf(run(...push))).toBeInstanceOf(Error);
    await run(...push, '--username', 'ann', '--password', 'pw');
    expect((await fetch(`${guarded.url}/v2/oras/manifests/v1`)).status).toBe(200);
  });

  test('our own client reads without a name and pushes with one', async () => {
    const blob = blobOf('pushed by our own');
    const upload = {
      descriptor: { digest: blob.digest, size: blob.bytes.length },
      open: () => new Blob([blob.bytes]).stream(),
    };
    const target = parseReference(`${name}/own:v1`);
    const push = (options: Partial<RegistryRequest>) =>
      new DistributionPushClient(plainConfig).uploadBlob(target, upload, {
        signal: new AbortController().signal,
        ...options,
      });
    expect(await failureOf(push({}))).toMatchObject({ code: 'registry-denied' });
    await push({ credentials: { username: 'ann', password: 'pw' } });
    expect((await fetch(`${guarded.url}/v2/own/blobs/${blob.digest}`)).status).toBe(200);
  });
});
