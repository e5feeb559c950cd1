import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../errors/logger.ts';
import { listMounts, mountOverlay, unmount } from '../sys/mount.ts';
import { createSnapshotter } from './create-snapshotter.ts';
import { probeSnapshotDriver } from './probe.ts';

let base = '';

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sampan-probe-'));
});

afterEach(() => {
  for (const { target } of listMounts().reverse())
    if (target.startsWith(`${base}/`)) unmount(target, { detach: true });
  rmSync(base, { recursive: true });
});

test('the probe leaves nothing and its answer is what the factory uses', async () => {
  const root = join(base, 'layers');
  const probed = await probeSnapshotDriver(root);
  expect(readdirSync(root)).toEqual([]);
  expect(listMounts().filter(({ target }) => target.startsWith(base))).toEqual([]);
  const store = await createSnapshotter({ driver: 'auto', root, logger: silentLogger });
  expect(store.driver).toBe(probed.driver);
});

test('index files on an overlay can’t be mounted: the probe says so and takes the other driver', async () => {
  const [lower, upper, work, target] = ['lower', 'upper', 'work', 'merged'].map((name) => {
    mkdirSync(join(base, name));
    return join(base, name);
  });
  mountOverlay({ lowers: [lower!], writable: { upper: upper!, work: work! }, target: target! });
  const root = join(target!, 'layers');
  const probed = await probeSnapshotDriver(root);
  expect(probed.driver).toBe('overlay');
  expect(probed.reason).toContain('mount erofs');
  const named = createSnapshotter({ driver: 'erofs', root, logger: silentLogger });
  expect(await named.catch((error: unknown) => error)).toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('Cannot use the erofs snapshotter'),
  });
  expect(readdirSync(root)).toEqual([]);
});

test('overlay is used when it is asked for', async () => {
  const store = await createSnapshotter({
    driver: 'overlay',
    root: join(base, 'layers'),
    logger: silentLogger,
  });
  expect(store.driver).toBe('overlay');
});
