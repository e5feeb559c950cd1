import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import type { RunningRegistry } from '../../../src/registry/server/serve-registry.ts';
import { startDockerRegistry } from '../../../src/registry/testing/running-registry.ts';
import { BuildFixture, printedBy, sameProject } from '../../clients/build/build-fixture.ts';
import { type ClientName, startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let fixture: BuildFixture;
let elsewhere: TestDaemon;
let registry: RunningRegistry;

beforeAll(async () => {
  fixture = await BuildFixture.start({ bip: '10.93.1.1/24' });
  elsewhere = await startDaemon({ bip: '10.93.2.1/24' });
  registry = await startDockerRegistry();
}, 120_000);
afterAll(async () => {
  await elsewhere?.close();
  await fixture?.close();
  await registry?.close();
}, 120_000);

const MANIFESTS = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

async function digestAt(repository: string): Promise<string | null> {
  const url = `${registry.url}/v2/${repository}/manifests/1`;
  return (await fetch(url, { headers: { accept: MANIFESTS } })).headers.get('docker-content-digest');
}

const idOf = async (daemon: TestDaemon, name: string) =>
  await daemon.out(['image', 'inspect', '-f', '{{.Id}}', name]);

test.each<[string, ClientName, Record<string, string>]>([
  ['buildx', 'docker', {}],
  ['classic', 'docker', { DOCKER_BUILDKIT: '0' }],
  ['own', 'sampan', {}],
])(
  '%s: build, push, pull elsewhere, save, load, push: one digest',
  async (how, client, env) => {
    const folder = fixture.project(sameProject);
    const [name, again] = ['built', 'again'].map((kind) => `127.0.0.1:${registry.port}/${kind}-${how}:1`) as [
      string,
      string,
    ];
    const here = fixture.daemon;
    await here.out(['build', '-q', '--build-arg', `WHO=${how}`, '-t', name, folder], { client, env });
    const digest = await idOf(here, name);
    await here.out(['push', '-q', name]);
    expect(await digestAt(`built-${how}`)).toBe(digest);
    await elsewhere.out(['pull', '-q', name]);
    expect(await idOf(elsewhere, name)).toBe(digest);
    const archive = join(here.root, `${how}.tar`);
    await elsewhere.out(['save', '-o', archive, name]);
    await elsewhere.out(['rmi', name]);
    await elsewhere.out(['load', '-q', '-i', archive]);
    expect(await idOf(elsewhere, name)).toBe(digest);
    expect(await elsewhere.out(['run', '--rm', '--network', 'none', name])).toBe(printedBy(how));
    await elsewhere.out(['tag', name, again]);
    await elsewhere.out(['push', '-q', again]);
    expect(await digestAt(`again-${how}`)).toBe(digest);
  },
  120_000,
);
