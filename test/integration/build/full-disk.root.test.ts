import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuildFixture } from '../../clients/build/build-fixture.ts';
import { BUILDERS, builderOf } from '../../clients/build/builders.ts';
import { buildLeftovers } from '../../support/engine/build-leftovers.ts';
import { eventually } from '../../support/engine/command.ts';

const mount = mkdtempSync(join(tmpdir(), 'full-disk-'));
let fixture: BuildFixture;

beforeAll(async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', mount]);
  fixture = await BuildFixture.start({ dataRoot: join(mount, 'data') });
}, 300_000);

afterAll(async () => {
  await fixture?.close();
  execFileSync('umount', [mount]);
  rmSync(mount, { recursive: true });
}, 300_000);

function freeBytes(): number {
  const { bfree, bsize } = statfsSync(mount);
  return bfree * bsize;
}

describe.each(BUILDERS)('a build that fills the disk: %s', (name) => {
  const build = builderOf(() => fixture, name);

  /** It fails with these words, leaves nothing behind, and the next one works. */
  async function fails(folder: string, words: RegExp): Promise<void> {
    await fixture.daemon.out(['builder', 'prune', '-af']);
    const before = freeBytes();
    const failed = await build([folder]);
    expect(failed.code, failed.stderr).not.toBe(0);
    expect(failed.stderr).toMatch(words);
    await eventually(() => buildLeftovers(fixture.daemon).length === 0, {
      timeoutMs: 20_000,
      what: () => buildLeftovers(fixture.daemon).join('\n'),
    });
    // A context that was sent, and a cache mount, are kept for the next build until they are pruned.
    await fixture.daemon.out(['builder', 'prune', '-af']);
    await eventually(() => freeBytes() > before - (2 << 20), {
      timeoutMs: 20_000,
      what: () => `${before - freeBytes()} bytes more are taken than before`,
    });
    const small = fixture.project({ Dockerfile: `FROM busybox\nRUN echo ${crypto.randomUUID()} > /x\n` });
    const next = await build([small]);
    expect(next, next.stderr).toMatchObject({ code: 0 });
  }

  test('by what a RUN writes', async () => {
    const folder = fixture.project({ Dockerfile: 'FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M\n' });
    await fails(folder, /No space left on device[\s\S]*did not complete successfully: exit code: 1/);
  }, 120_000);

  test('by the layer of what a RUN wrote', async () => {
    const folder = fixture.project({
      Dockerfile: 'FROM busybox\nRUN dd if=/dev/urandom of=/big bs=1M count=35 2>/dev/null\n',
    });
    await fails(folder, /no space left on device/i);
  }, 120_000);

  test('by a cache mount', async () => {
    const folder = fixture.project({
      Dockerfile: 'FROM busybox\nRUN --mount=type=cache,target=/c dd if=/dev/zero of=/c/big bs=1M\n',
    });
    await fails(folder, /No space left on device/);
  }, 120_000);

  test('by files that are copied', async () => {
    const folder = fixture.project({ Dockerfile: 'FROM busybox\nCOPY big /one\nCOPY big /two\n' });
    writeFileSync(join(folder, 'big'), crypto.getRandomValues(new Uint8Array(65_536)));
    for (let at = 0; at < 9; at++)
      execFileSync('sh', ['-c', 'cat big big > more && mv more big'], { cwd: folder });
    await fails(folder, /no space left on device/i);
  }, 120_000);
});
