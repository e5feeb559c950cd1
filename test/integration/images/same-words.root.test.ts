import { afterAll, beforeAll, expect, test } from 'bun:test';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningRegistry } from '../../../src/registry/server/serve-registry.ts';
import { startDockerRegistry } from '../../../src/registry/testing/running-registry.ts';
import { must } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { makeImage, makeIndex, makeLayer, noise } from '../../support/images/image-maker.ts';
import { directory, file, makeTar } from '../../support/images/tar-maker.ts';

// The stock client and ours, one after the other against one daemon of ours: every byte and the exit code are the same.
// Images of one repository only: those of several come in random order from the stock client.
let seeds: SeedRegistry;
let real: RunningRegistry;
let engine: TestDaemon;

const layers = [1, 2].map((seed) =>
  makeLayer(makeTar([directory('d'), file(`d/${seed}`, noise(50_000, seed))]), 'gzip'),
);
const image = makeImage(layers);
const arm = makeImage(layers.slice(0, 1), {
  platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
});

beforeAll(async () => {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  seeds = await startSeedRegistry();
  real = await startDockerRegistry();
  engine = await startDaemon({ mirrors: [seeds.url] });
  await seeds.publish({ repository: 'library/app', tag: 'latest' }, makeIndex([arm, image]));
  await engine.pull('app');
  await engine.out(['tag', 'app', 'app:2']);
  await engine.out(['tag', 'app', `127.0.0.1:${real.port}/app:1`]);
  await engine.out(['push', '-q', `127.0.0.1:${real.port}/app:1`]);
  await engine.out(['save', '-o', join(engine.root, 'app.tar'), 'app']);
});
afterAll(async () => {
  await engine.close();
  await real?.close();
  await seeds?.close();
});

test.each([
  ['images app'],
  ['images --digests --no-trunc app'],
  ['images --tree app'],
  ['images -a -q app'],
  ['images --format json app:2'],
  ['images --format raw app'],
  ['images -f bogus=1'],
  ['images -f dangling=T'],
  ['images -f label!=x'],
  ['image prune -f --filter dangling=t'],
  ['image prune -f --filter until=-1h'],
  ['tag app sha256:abc'],
  ['history app'],
  ['history --no-trunc --format json app'],
  ['history --platform zzz app'],
  ['image inspect app:2 nosuch'],
  ['image inspect -f {{.Id}} nosuch app'],
  ['inspect --type image app'],
  ['pull app'],
  ['pull -q app'],
  ['pull app:nosuch'],
  ['pull -a app:1'],
  ['push HOST/app:nosuch'],
  ['push -q HOST/app:1'],
  ['push HOST/app'],
  ['push -q --platform linux/amd64 HOST/app:1'],
  ['rmi nosuch nosuch2'],
  ['rmi -f nosuch'],
  ['tag nosuch x:1'],
  ['image prune -f'],
  ['save app app:2'],
  ['save nosuch'],
  ['save -o /nonexistent/x app'],
  ['load -i ROOT/app.tar'],
  ['load -q -i ROOT/nosuch.tar'],
  ['import ROOT/nosuch.tar x'],
  ['export nosuch'],
  ['commit nosuch'],
  ['manifest inspect --insecure HOST/app:1'],
  ['manifest inspect --insecure -v HOST/app:1'],
  ['manifest inspect --insecure HOST/app:nosuch'],
  ['login -u me -p secret HOST'],
  ['logout HOST'],
  ['search --limit 1000 x'],
  ['system df'],
  ['system df -v'],
  ['system df -v --format json'],
  ['system df --format raw'],
])('%s', async (line) => {
  const words = line.replaceAll('HOST', `127.0.0.1:${real.port}`).replaceAll('ROOT', engine.root).split(' ');
  const fresh = () => rmSync(join(engine.root, 'client/config.json'), { force: true });
  fresh();
  const stock = await engine.run(words);
  fresh();
  const { stderr, ...own } = await engine.run(words, { client: 'sampan' });
  // A hint may follow, in a line of its own: stock clients don't show the daemon's.
  const hint = stderr.startsWith(stock.stderr) ? stderr.slice(stock.stderr.length) : '';
  expect(hint).toMatch(/^(?:[A-Z].*\n)?$/);
  expect({ ...own, stderr: stderr.slice(0, stderr.length - hint.length) }).toEqual(stock);
});

test('beside its platforms an image is as large as all of them; a filter of old API versions is one', async () => {
  const images = async (query: string) =>
    JSON.parse((await engine.api('GET', query)).body) as {
      Size: number;
      Manifests?: { Size: { Total: number } }[];
    }[];
  const [app] = await images('/v1.51/images/json?manifests=1');
  expect(app?.Size).toBe(app?.Manifests?.reduce((sum, { Size }) => sum + Size.Total, 0) ?? 0);
  expect(await images('/v1.40/images/json?filter=nosuch')).toEqual([]);
  expect((await images('/v1.40/images/json?filter=app')).length).toBe(1);
  expect((await images('/v1.41/images/json?filter=nosuch')).length).toBeGreaterThan(0);
});
