import { beforeAll, expect, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../../test/support/failure-of.ts';
import { ImageBench } from '../../../test/support/images/image-bench.ts';
import { makeImage, makeLayer, noise } from '../../../test/support/images/image-maker.ts';
import { file, makeTar } from '../../../test/support/images/tar-maker.ts';

// The file runs in a network namespace of its own.
beforeAll(() => void execFileSync('ip', ['link', 'set', 'lo', 'up']));

const name = { repository: 'docker.io/library/app', tag: 'latest' };
const small = makeImage([makeLayer(makeTar([file('x', noise(10_000))]))]);
const large = makeImage([
  makeLayer(makeTar([file('a', noise(3_000_000, 2))])),
  makeLayer(makeTar([file('b', noise(30_000_000, 3))])),
]);
/** Compresses well: the blob fits, its tar doesn't. */
const tall = makeImage([makeLayer(makeTar([file('z', new Uint8Array(60_000_000))]))]);

for (const [what, image] of [
  ['blob', large],
  ['tar', tall],
] as const) {
  test(`a disk that is full of the ${what} ends the pull with a clear error and nothing left; the next pull works`, async () => {
    const mount = mkdtempSync(join(tmpdir(), 'sampan-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', mount]);
    const root = join(mount, 'root');
    mkdirSync(root);
    const bench = await ImageBench.start({ root, workers: true });
    try {
      bench.registry.add(name, image);
      expect(await failureOf(bench.pull('app'))).toMatchObject({
        code: 'no-space',
        message: expect.stringContaining('no space left on device'),
      });
      await bench.images.settled();
      expect(bench.stored()).toEqual({ blobs: [], ingests: 0 });
      expect(readdirSync(root).filter((entry) => entry.startsWith('stage'))).toEqual([]);
      const { bfree, bsize } = statfsSync(mount);
      expect(bfree * bsize).toBeGreaterThan(20_000_000);
      bench.registry.add(name, small);
      await bench.pull('app');
      expect(bench.images.count()).toBe(1);
    } finally {
      await bench.stop();
      execFileSync('umount', [mount]);
      rmSync(mount, { recursive: true });
    }
  });
}
