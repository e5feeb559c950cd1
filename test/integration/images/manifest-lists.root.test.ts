import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningRegistry } from '../../../src/registry/server/serve-registry.ts';
import { startDockerRegistry } from '../../../src/registry/testing/running-registry.ts';
import { must } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { makeImage, makeIndex, makeLayer } from '../../support/images/image-maker.ts';
import { directory, makeTar } from '../../support/images/tar-maker.ts';

// The stock client makes a list, annotates and pushes it, by itself; then ours does the same through the daemon. What is said, kept and pushed is the same.
let seeds: SeedRegistry;
let real: RunningRegistry;
let engine: TestDaemon;

const layers = [makeLayer(makeTar([directory('d')]), 'gzip')];
const image = makeImage(layers);
const arm = makeImage(layers, { platform: { os: 'linux', architecture: 'arm' } });

beforeAll(async () => {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  seeds = await startSeedRegistry();
  real = await startDockerRegistry();
  engine = await startDaemon({ mirrors: [seeds.url] });
  await seeds.publish({ repository: 'library/app', tag: 'one' }, image);
  await seeds.publish({ repository: 'library/app', tag: 'arm' }, arm);
  await seeds.publish({ repository: 'library/app', tag: 'index' }, makeIndex([arm, image]));
  for (const [from, to] of [
    ['one', 'app:one'],
    ['arm', 'parts/arm:1'],
    ['index', 'app:index'],
  ] as const) {
    const platform = from === 'arm' ? ['--platform', 'linux/arm'] : [];
    await engine.out(['pull', '-q', ...platform, `app:${from}`]);
    await engine.out(['tag', `app:${from}`, `${host()}/${to}`]);
    await engine.out(['push', '-q', `${host()}/${to}`]);
  }
});
afterAll(async () => {
  await engine?.close();
  await real?.close();
  await seeds?.close();
});

const host = () => `127.0.0.1:${real.port}`;
const folder = () => join(engine.root, 'client/manifests');

const STEPS = [
  'create --insecure LIST:list HOST/app:one HOST/parts/arm:1',
  'create --insecure LIST:list HOST/app:one',
  'create --insecure --amend LIST:list HOST/app:one',
  'create --insecure LIST:other HOST/app:nosuch',
  'create --insecure LIST:other HOST/app:index',
  'create BAD HOST/app:one',
  'create LIST:x BAD',
  'inspect LIST:list',
  'inspect -v LIST:list',
  'inspect LIST:list HOST/parts/arm:1',
  'inspect LIST:list HOST/app:nosuch',
  'annotate LIST:list HOST/parts/arm:1 --arch arm --variant v7 --os-version 10 --os-features a,b',
  'annotate LIST:list HOST/app:nosuch --arch arm',
  'annotate LIST:nosuch HOST/app:one --arch arm',
  'annotate BAD HOST/app:one',
  'annotate LIST:list BAD',
  'inspect LIST:list',
  'push LIST:nosuch',
  'push BAD',
  'push --insecure LIST:list',
  'push --purge --insecure LIST:list',
  'push --insecure LIST:list',
  'create --insecure 127.0.0.1:1/app:far HOST/app:one',
  'push --insecure 127.0.0.1:1/app:far',
  'create --insecure LIST:one-of-two HOST/app:one',
  'rm LIST:one-of-two LIST:nosuch BAD 127.0.0.1:1/app:far',
];

async function play(client: 'docker' | 'sampan') {
  rmSync(folder(), { recursive: true, force: true });
  mkdirSync(folder());
  // Each has a repository of its own, so that each has to bring it what its list names.
  const repository = `${client}/app`;
  const same = (text: string) => text.replaceAll(repository, 'LIST').replaceAll(`${client}_app`, 'LIST');
  const told: Record<string, unknown>[] = [];
  for (const step of STEPS) {
    const words = step.replaceAll('HOST', host()).replaceAll('LIST', `${host()}/${repository}`).split(' ');
    const { code, stdout, stderr } = await engine.run(['manifest', ...words], { client });
    told.push({ step, code, stdout: same(stdout), stderr: same(withoutHint(stderr)), kept: same(kept()) });
  }
  const accept = 'application/vnd.oci.image.index.v1+json';
  const pushed = await fetch(`http://${host()}/v2/${repository}/manifests/list`, { headers: { accept } });
  return { told, pushed: await pushed.text(), type: pushed.headers.get('content-type') };
}

/** Ours may say what to do about it, in a line of its own. */
function withoutHint(stderr: string): string {
  return stderr.replace(/^(?:Copy them there|Say them) with '.*\n/m, '');
}

function kept(): string {
  const names = [...new Bun.Glob('**/*').scanSync(folder())].toSorted();
  return names.map((name) => `${name}: ${readFileSync(join(folder(), name), 'utf8')}\n`).join('');
}

test('a list is made, annotated, shown, pushed and removed as by the stock client', async () => {
  const stock = await play('docker');
  expect(stock.type).toBe('application/vnd.oci.image.index.v1+json');
  const own = await play('sampan');
  expect(own).toEqual(stock);
  expect(readdirSync(folder())).toEqual([]);
});
