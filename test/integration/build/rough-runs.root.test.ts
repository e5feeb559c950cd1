import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { BuildFixture } from '../../clients/build/build-fixture.ts';
import { BUILDERS, builderOf } from '../../clients/build/builders.ts';
import { buildLeftovers } from '../../support/engine/build-leftovers.ts';
import { eventually } from '../../support/engine/command.ts';

let fixture: BuildFixture;
beforeAll(async () => {
  fixture = await BuildFixture.start();
}, 300_000);
afterAll(async () => {
  await fixture?.close();
}, 300_000);

/** What Docker 28.5.2 made of them: the last that a step said, and its exit code. */
const RUNS: [command: string, said: string | undefined, code: number][] = [
  ['kill -9 1; echo still', 'still', 0],
  ['kill -9 -1 2>/dev/null; echo still', 'still', 0],
  ['kill -9 $$', undefined, 0],
  ['kill -9 $PPID; echo $PPID', '0', 0],
  ['kill -TERM $$', undefined, 0],
  ['sleep 1000 & echo bg', 'bg', 0],
  ['trap "" TERM; (sleep 600 &) ; echo ok', 'ok', 0],
  ['exec 0</dev/null 1>&- 2>&-; true', undefined, 0],
  ['head -c 1 /dev/zero; exit 255', undefined, 255],
  ['mount -t tmpfs x /mnt 2>/dev/null; echo $?', '1', 0],
  ['rm -rf / 2>/dev/null; echo gone', 'gone', 0],
  ['mknod /x b 7 0; echo $?', '0', 0],
  ['(echo x > /proc/sys/kernel/hostname) 2>/dev/null; echo no', 'no', 0],
  ['chroot / /bin/sh -c "exit 9"', undefined, 9],
];

describe.each(BUILDERS)('a RUN that behaves badly: %s', (name) => {
  const build = builderOf(() => fixture, name);

  test.each(RUNS)(
    '%s',
    async (command, said, code) => {
      const folder = fixture.project({ Dockerfile: `FROM busybox\nRUN ${command}\n` });
      const { stderr, ...built } = await build(['--no-cache', folder]);
      expect(built.code, stderr).toBe(code === 0 ? 0 : 1);
      const words = stderr.matchAll(/^#\d+ \d+\.\d+ (.*)$/gm);
      const last = [...words].map(([, text = '']) => text).at(-1);
      if (said !== undefined) expect(last).toBe(said);
      if (code !== 0)
        expect(stderr).toContain(
          `process "/bin/sh -c ${command.replaceAll('"', '\\"')}" did not complete successfully: exit code: ${code}`,
        );
      await eventually(() => buildLeftovers(fixture.daemon).length === 0, {
        timeoutMs: 20_000,
        what: () => buildLeftovers(fixture.daemon).join('\n'),
      });
    },
    60_000,
  );
});
