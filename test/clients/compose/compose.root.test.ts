import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { dockerPlugin } from '../../support/engine/docker-plugins.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { writeShop } from './shop-project.ts';
import { type ComposeVersion, playShop, recordedShop } from './shop-steps.ts';

const CACHE = resolve(import.meta.dir, '../../../.cache');
const V1 = join(CACHE, 'stock-clients-1.29/usr/bin/docker-compose');
/** Debian's own Python, whose packages these are. */
const PYTHON = '/usr/bin/python3';
const MODULES = ['stock-clients-1.29', 'stock-clients']
  .map((folder) => join(CACHE, folder, 'usr/lib/python3/dist-packages'))
  .join(':');
const hasV1 = existsSync(V1) && existsSync(PYTHON);

let registry: SeedRegistry | undefined;
let engine: TestDaemon;

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
});
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

async function lifeBy(version: ComposeVersion, command: readonly string[], env: Record<string, string>) {
  const folder = writeShop(join(engine.root, version));
  return await playShop({ version, command, env: { ...engine.env, ...env }, folder });
}

test.skipIf(dockerPlugin('compose') === undefined)(
  'compose v2 brings an application up, scales, restarts and removes it as on Docker',
  async () => {
    const outcomes = await lifeBy('v2', [dockerPlugin('compose') ?? ''], {});
    expect(outcomes).toEqual(recordedShop('v2'));
    expect(engine.traces()).toMatchObject({ cgroups: [], files: [] });
  },
  180_000,
);

test.skipIf(!hasV1)(
  'compose v1 of Debian 12 does, too',
  async () => {
    const outcomes = await lifeBy('v1', [PYTHON, V1], { PYTHONPATH: MODULES });
    expect(outcomes).toEqual(recordedShop('v1'));
    expect(engine.traces()).toMatchObject({ cgroups: [], files: [] });
  },
  240_000,
);
