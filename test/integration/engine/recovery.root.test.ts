import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let registry: SeedRegistry | undefined;
let engine: TestDaemon;

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
});
afterEach(() => engine.removeContainers());
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

const COUNTING = 'i=0; while true; do echo line $i; i=$((i+1)); sleep 0.01; done';

test('EROFS is the default where the kernel can', async () => {
  expect(await engine.out(['info', '-f', '{{.Driver}}'])).toBe('erofs');
});

test.each(['SIGKILL', 'SIGTERM'] as const)(
  'after %s of the daemon containers run on and no line of their logs is lost or doubled',
  async (signal) => {
    await engine.out(['run', '-d', '--name', 'counter', 'busybox', 'sh', '-c', COUNTING]);
    const pid = await engine.out(['inspect', '-f', '{{.State.Pid}}', 'counter']);
    await Bun.sleep(300);
    await engine.stop(signal);
    await Bun.sleep(500);
    await engine.start();
    await Bun.sleep(300);
    expect(await engine.out(['inspect', '-f', '{{.State.Status}} {{.State.Pid}}', 'counter'])).toBe(
      `running ${pid}`,
    );
    const lines = (await engine.out(['logs', 'counter'])).split('\n');
    expect(lines.length).toBeGreaterThan(60);
    expect(lines).toEqual(lines.map((_, index) => `line ${index}`));
    const follower = engine.startCommand(['logs', '-f', '--tail', '1', 'counter']);
    await follower.until(new RegExp(`line ${lines.length + 20}\n`));
    await engine.out(['stop', '-t', '0', 'counter']);
    expect((await follower.end()).code).toBe(0);
  },
);

test('a log that is rotated under the monitor is followed, and read after, without a line lost or doubled', async () => {
  await engine.out(['run', '-d', '--name', 'counter', 'busybox', 'sh', '-c', COUNTING]);
  const [id = '', path = ''] = (await engine.out(['inspect', '-f', '{{.Id}} {{.LogPath}}', 'counter'])).split(
    ' ',
  );
  const follower = engine.startCommand(['logs', '-f', 'counter']);
  for (const turn of [1, 2, 3]) {
    await follower.until(new RegExp(`line ${turn * 20}\n`));
    for (let number = turn - 1; number >= 0; number--)
      renameSync(number === 0 ? path : `${path}.${number}`, `${path}.${number + 1}`);
    // Its order to open the file anew.
    writeFileSync(join(engine.execRoot, 'tasks', id, '1', 'ctl'), '2 0 0\n');
    await eventually(() => existsSync(path));
  }
  await follower.until(/line 80\n/);
  await engine.out(['stop', '-t', '0', 'counter']);
  const { code, stdout } = await follower.end();
  const lines = stdout.trimEnd().split('\n');
  expect([code, lines]).toEqual([0, lines.map((_, index) => `line ${index}`)]);
  expect(lines.length).toBeGreaterThan(80);
  expect((await engine.out(['logs', 'counter'])).split('\n')).toEqual(lines);
  expect(await engine.out(['logs', '--tail', '70', 'counter'])).toBe(lines.slice(-70).join('\n'));
});

test('exits that happened while the daemon was away are found, with their codes and times; --rm is kept', async () => {
  await engine.out(['run', '-d', '--name', 'nine', 'busybox', 'sh', '-c', 'sleep 0.6; exit 9']);
  await engine.out(['run', '-d', '--rm', '--name', 'gone', 'busybox', 'sleep', '0.6']);
  await engine.stop('SIGKILL');
  await Bun.sleep(1200);
  const started = Date.now();
  await engine.start();
  await eventually(
    async () => (await engine.out(['ps', '-a', '--format', '{{.Names}} {{.State}}'])) === 'nine exited',
  );
  const [code, finished = ''] = (
    await engine.out(['inspect', '-f', '{{.State.ExitCode}} {{.State.FinishedAt}}', 'nine'])
  ).split(' ');
  expect(code).toBe('9');
  expect(Date.parse(finished)).toBeLessThan(started);
  await eventually(() => engine.traces().files.every((path) => path.includes('containers/')), {
    what: () => `nothing to be left: ${JSON.stringify(engine.traces())}`,
  });
});

test('a container that ran through a crash can be attached to, stopped, started and removed', async () => {
  await engine.out(['run', '-d', '-i', '--name', 'cat', 'busybox', 'cat']);
  await engine.restart('SIGKILL');
  const attached = engine.startCommand(['attach', 'cat']);
  await Bun.sleep(300);
  await attached.child.stdin.write('after the crash\n');
  await attached.child.stdin.flush();
  await attached.until(/after the crash\n/);
  await engine.out(['stop', '-t', '0', 'cat']);
  await attached.end();
  await engine.out(['start', 'cat']);
  expect(await engine.out(['inspect', '-f', '{{.State.Running}}', 'cat'])).toBe('true');
});

test('attach twins: a client that stops reading, or vanishes, holds up neither stop nor exit', async () => {
  await engine.out(['run', '-d', '--name', 'loud', 'busybox', 'sh', '-c', 'exec yes loud']);
  const deaf = Bun.spawn(engine.command(['attach', 'loud']), {
    env: { PATH: process.env['PATH'] ?? '', ...engine.env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'ignore',
  });
  const vanishing = Bun.spawn(engine.command(['logs', '-f', 'loud']), {
    env: { PATH: process.env['PATH'] ?? '', ...engine.env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'ignore',
  });
  await Bun.sleep(700);
  vanishing.kill('SIGKILL');
  const before = Date.now();
  await engine.out(['stop', '-t', '1', 'loud']);
  expect(Date.now() - before).toBeLessThan(9000);
  expect(await engine.out(['inspect', '-f', '{{.State.Status}}', 'loud'])).toBe('exited');
  deaf.kill('SIGKILL');
  await Promise.all([deaf.exited, vanishing.exited]);
});
