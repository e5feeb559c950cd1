import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { type ClientName, startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

// The stock client and ours, each on the same leavings: every byte but the ids is the same, and so is the exit code.
let seeds: SeedRegistry;
let engine: TestDaemon;
let context: string;

beforeAll(async () => {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  seeds = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [seeds.url] });
  context = join(engine.root, 'context');
  mkdirSync(context);
});
afterAll(async () => {
  await engine.close();
  await seeds?.close();
});

/** A stopped container with an anonymous volume, an image without name, a build's cache; a named volume stays. */
async function leave(): Promise<void> {
  await engine.pull('busybox');
  await engine.out(['run', '-v', '/data', 'busybox', 'true']);
  await engine.out(['volume', 'create', 'named']);
  writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nRUN echo x >/x\n');
  await engine.out(['build', '-q', context], { client: 'sampan' });
}

const RECLAIMED = /(?<=space: )\d+(?:\.\d+)?(?=kB)/;

async function said(client: ClientName, args: string[]) {
  const { stdout, stderr, code } = await engine.run(['system', 'prune', ...args], { client });
  // Records of the cache come in the order of their ids.
  const lines = stdout
    .replace(/\b(?:[0-9a-f]{64}|[0-9a-z]{25})\b/g, 'ID')
    .replace(RECLAIMED, 'N')
    .split('\n');
  return { said: { stdout: lines, stderr, code }, kilobytes: Number(RECLAIMED.exec(stdout)?.[0] ?? 0) };
}

test.each([
  [[]],
  [['-a', '--volumes']],
  [['--filter', 'label=b2', '--filter', 'label=b10', '--filter', 'until=1h']],
  [['-f', '--volumes', '--filter', 'until=1h']],
  [['-f', '--filter', 'bogus=1']],
  [['-f', '--filter', 'label=nosuch']],
  [['-f']],
  [['-f', '--volumes']],
  [['-a', '-f', '--volumes']],
])('system prune %p', async (args) => {
  await leave();
  const docker = await said('docker', args);
  const left = async () => [
    await engine.out(['volume', 'ls', '-q', '-f', 'name=named']),
    (await engine.out(['ps', '-aq'])).split('\n').filter(Boolean).length,
  ];
  const leftByDocker = await left();
  await engine.out(['system', 'prune', '-af', '--volumes']);
  await leave();
  const sampan = await said('sampan', args);
  expect(sampan.said).toEqual(docker.said);
  // Documents of images have times of other lengths: some bytes more or less.
  expect(Math.abs(sampan.kilobytes - docker.kilobytes)).toBeLessThan(0.1);
  expect(await left()).toEqual(leftByDocker);
  await engine.out(['system', 'prune', '-af', '--volumes']);
});

test('all of it is removed and told of', async () => {
  await leave();
  const { stdout, code } = (await said('sampan', ['-a', '-f', '--volumes'])).said;
  expect(code).toBe(0);
  for (const title of [
    'Deleted Containers:',
    'Deleted Volumes:',
    'Deleted Images:',
    'Deleted build cache objects:',
  ])
    expect(stdout).toContain(title);
  expect(await engine.out(['volume', 'ls', '-q'])).toBe('named');
});
