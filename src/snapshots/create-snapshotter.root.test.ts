import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../errors/logger.ts';
import { listMounts, mountOverlay, unmount } from '../sys/mount.ts';
import { chooseSnapshotDriver, openSnapshotter, type SnapshotterOptions } from './create-snapshotter.ts';
import { probeSnapshotDriver } from './probe.ts';
import type { SnapshotKey } from './snapshotter.ts';

let base = '';

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sampan-probe-'));
});

afterEach(() => {
  for (const { target } of listMounts().reverse())
    if (target.startsWith(`${base}/`)) unmount(target, { detach: true });
  rmSync(base, { recursive: true });
});

async function createSnapshotter(options: Omit<SnapshotterOptions, 'logger'>) {
  const choice = await chooseSnapshotDriver({ ...options, logger: silentLogger });
  return { snapshotter: openSnapshotter(choice, silentLogger), ownDisk: choice.ownDisk };
}

test('the probe leaves nothing and its answer is what the factory uses', async () => {
  const root = join(base, 'layers');
  const probed = await probeSnapshotDriver(root);
  expect(readdirSync(root)).toEqual([]);
  expect(listMounts().filter(({ target }) => target.startsWith(base))).toEqual([]);
  const { snapshotter, ownDisk } = await createSnapshotter({ driver: 'auto', root });
  expect(snapshotter.driver).toBe(probed.driver!);
  expect(ownDisk).toBeUndefined();
});

test('where nothing can be stacked layers have a file system of their own, which is found again', async () => {
  const root = join(mountedOverlay(), 'layers');
  const probed = await probeSnapshotDriver(root);
  expect(probed).toEqual({
    driver: undefined,
    reason: expect.stringMatching(/mount overlay .*not supported as upperdir/),
  });
  expect(readdirSync(root)).toEqual([]);
  const first = await createSnapshotter({ driver: 'auto', root });
  expect(first.snapshotter.driver).toBe('erofs');
  expect(first.ownDisk).toMatch(/not supported as upperdir/);
  const { signal } = new AbortController();
  await first.snapshotter.prepare('k' as SnapshotKey, undefined, { signal });
  const target = join(base, 'target');
  mkdirSync(target);
  await first.snapshotter.mount('k' as SnapshotKey, target);
  writeFileSync(join(target, 'written'), 'kept');
  // Sparse: what it may grow to is not what it takes.
  const { size, blocks } = statSync(join(root, 'disk.img'));
  expect(size).toBeGreaterThan(4 * blocks * 512);
  // A daemon that comes after it, and one after a reboot.
  for (const unmounts of [false, true]) {
    if (unmounts) for (const path of [target, join(root, 'disk')]) unmount(path);
    const next = await createSnapshotter({ driver: 'auto', root });
    expect(await next.snapshotter.snapshots()).toEqual(['k' as SnapshotKey]);
    await next.snapshotter.mount('k' as SnapshotKey, target);
    expect(readFileSync(join(target, 'written'), 'utf8')).toBe('kept');
  }
});

/** As a container's root is. */
function mountedOverlay(): string {
  const [lower, upper, work, target] = ['lower', 'upper', 'work', 'merged'].map((name) => {
    mkdirSync(join(base, name));
    return join(base, name);
  });
  mountOverlay({ lowers: [lower!], writable: { upper: upper!, work: work! }, target: target! });
  return target!;
}

test('overlay is used when it is asked for', async () => {
  const { snapshotter } = await createSnapshotter({
    driver: 'overlay',
    root: join(base, 'layers'),
  });
  expect(snapshotter.driver).toBe('overlay');
});
