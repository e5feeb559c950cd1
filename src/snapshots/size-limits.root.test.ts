import { afterAll, describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unmountIfMounted } from '../sys/mount.ts';
import { isProjectUnused, projectOf } from '../sys/project-quota.ts';
import { ErofsSnapshotter } from './erofs/erofs-snapshotter.ts';
import { OverlaySnapshotter } from './overlay/overlay-snapshotter.ts';
import type { SnapshotKey, Snapshotter } from './snapshotter.ts';
import { refusal } from './testing/snapshot-fixture.ts';

const MIB = 1024 * 1024;
const base = mkdtempSync(join(tmpdir(), 'sampan-size-'));
const disk = join(base, 'disk');
const { signal } = new AbortController();
/** Kernels are built without quotas too; then what is tested is what is said of it. */
const hasQuotas = mountQuotaDisk();

afterAll(() => {
  unmountIfMounted(disk, { detach: true });
  rmSync(base, { recursive: true, force: true });
});

/** A file system of its own that holds projects to their limits. @returns whether this kernel can. */
function mountQuotaDisk(): boolean {
  const image = join(base, 'ext4.img');
  mkdirSync(disk);
  writeFileSync(image, '');
  truncateSync(image, 64 * MIB);
  const make = ['-q', '-O', 'quota,project', '-E', 'quotatype=prjquota', image];
  const made = spawnSync('mkfs.ext4', make, { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(made.stderr);
  return spawnSync('mount', ['-o', 'loop,prjquota', image, disk]).status === 0;
}

const drivers: [string, (root: string) => Snapshotter][] = [
  ['erofs', (root) => new ErofsSnapshotter({ root })],
  ['overlay', (root) => new OverlaySnapshotter(root)],
];

describe.each(drivers)('%s', (driver, open) => {
  const key = 'small' as SnapshotKey;

  /** @returns the error's number. */
  function fill(path: string, bytes: number): string | undefined {
    try {
      writeFileSync(path, Buffer.alloc(bytes, 1));
      return undefined;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
  }

  test('prepare() refuses a size where the file system keeps to none, and leaves nothing', async () => {
    const store = open(join(base, driver));
    const error = await refusal(store.prepare(key, undefined, { signal, sizeBytes: MIB }));
    expect(String(error)).toContain(
      "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
    );
    expect(await store.snapshots()).toEqual([]);
    await store.close();
  });

  if (!hasQuotas) return;
  test('a snapshot holds no more than its size, whoever writes', async () => {
    const store = open(join(disk, driver));
    const [bounded, free] = [join(base, `${driver}-bounded`), join(base, `${driver}-free`)];
    for (const target of [bounded, free]) mkdirSync(target);
    try {
      await store.prepare(key, undefined, { signal, sizeBytes: 4 * MIB });
      await store.prepare('free' as SnapshotKey, undefined, { signal });
      await store.mount(key, bounded);
      await store.mount('free' as SnapshotKey, free);
      expect(fill(join(bounded, 'fits'), 2 * MIB)).toBeUndefined();
      expect(fill(join(bounded, 'too-much'), 3 * MIB)).toBe('EDQUOT');
      expect(fill(join(free, 'all'), 8 * MIB)).toBeUndefined();
      // Another daemon over the same files.
      await store.unmount(key, bounded);
      const next = open(join(disk, driver));
      await next.mount(key, bounded);
      expect(fill(join(bounded, 'still'), 3 * MIB)).toBe('EDQUOT');
      await next.unmount(key, bounded);
      await next.unmount('free' as SnapshotKey, free);
      const project = projectOf(await next.upperDirectory(key));
      await next.remove(key);
      await next.remove('free' as SnapshotKey);
      await next.close();
      expect(isProjectUnused(disk, project)).toBe(true);
    } finally {
      for (const target of [bounded, free]) unmountIfMounted(target, { detach: true });
      await store.close();
    }
  });
});
