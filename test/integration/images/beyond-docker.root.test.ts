import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { RunningRegistry } from '../../../src/registry/server/serve-registry.ts';
import { startDockerRegistry } from '../../../src/registry/testing/running-registry.ts';
import { must } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { makeImage, makeIndex, makeLayer, noise } from '../../support/images/image-maker.ts';
import { directory, file, makeTar } from '../../support/images/tar-maker.ts';

// Our command line and our daemon, where Docker has nothing to compare with.
let seeds: SeedRegistry;
let real: RunningRegistry;
let engine: TestDaemon;

const layer = makeLayer(makeTar([directory('d'), file('d/1', noise(50_000, 1))]), 'gzip');
const image = makeImage([layer]);
const arm = makeImage([layer], { platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } });
const index = makeIndex([arm, image]);
const ours = { client: 'sampan' } as const;

beforeAll(async () => {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  seeds = await startSeedRegistry();
  real = await startDockerRegistry();
  engine = await startDaemon();
  await seeds.publish({ repository: 'team/app', tag: '1.2' }, index);
});
afterAll(async () => {
  await engine.close();
  await real?.close();
  await seeds?.close();
});

test('image copy leaves one digest, and nothing here; its tags are listed', async () => {
  const target = `127.0.0.1:${real.port}/mirror/app`;
  const source = `${new URL(seeds.url).host}/team/app:1.2`;
  const out = await engine.out(['image', 'copy', '--tls-verify=false', source, target], ours);
  expect(out).toEndWith(`\n${target}:1.2`);
  const { headers } = await fetch(`${real.url}/v2/mirror/app/manifests/1.2`, {
    headers: { accept: index.descriptor.mediaType },
  });
  expect(headers.get('docker-content-digest')).toBe(index.descriptor.digest);
  expect(await engine.out(['images', '-aq'], ours)).toBe('');
  expect(await engine.out(['search', '--list-tags', '--format', '{{.Tag}}', target], ours)).toBe('1.2');
});

test('what the daemon cannot reach is told, and nothing is left half done', async () => {
  const { code, stderr } = await engine.run(
    ['image', 'copy', `127.0.0.1:${real.port}/nosuch/app:1`, `127.0.0.1:${real.port}/b:1`],
    ours,
  );
  expect([code, stderr]).toEqual([1, expect.stringMatching(/nosuch\/app:1.*not found|manifest unknown/)]);
});
