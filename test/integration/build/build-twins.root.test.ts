import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BuildFixture } from '../../clients/build/build-fixture.ts';
import { buildLeftovers } from '../../support/engine/build-leftovers.ts';
import { eventually, type RunningCommand, start } from '../../support/engine/command.ts';
import { cgroupProcesses, daemonCgroups } from '../../support/engine/host-traces.ts';
import { type Manner, RudeProxy } from '../../support/engine/rude-proxy.ts';

// Each protocol of builds has twins: a client that reads its progress, and one that stops, half-closes or vanishes while a step prints.
let fixture: BuildFixture;
beforeAll(async () => {
  fixture = await BuildFixture.start();
}, 300_000);
afterAll(async () => {
  await fixture?.close();
}, 300_000);

let times = 4900;

/** Prints 3 MiB, far more than any buffer on the way holds, and then runs until it is ended. */
function loudProject(end: string): string {
  return fixture.project({ Dockerfile: `FROM busybox\nRUN yes | head -c 3145728; ${end}\n` });
}

const isRunning = (words: string): boolean =>
  daemonCgroups(fixture.daemon.dataRoot)
    .flatMap(cgroupProcesses)
    .some((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(words);
      } catch {
        return false;
      }
    });

const nothingLeft = async (): Promise<void> =>
  await eventually(() => buildLeftovers(fixture.daemon).length === 0, {
    timeoutMs: 30_000,
    what: () => buildLeftovers(fixture.daemon).join('\n'),
  });

function residentBytes(): number {
  return Number(readFileSync(`/proc/${fixture.daemon.pid}/statm`, 'utf8').split(' ')[1]) * 4096;
}

const CLIENTS = [
  ['classic', 'docker', { DOCKER_BUILDKIT: '0' }],
  ['buildx', 'docker', {}],
  ['sampan', 'sampan', {}],
] as const;

describe.each(CLIENTS)('%s', (name, client, env) => {
  async function begin(folder: string): Promise<{ proxy: RudeProxy; build: RunningCommand }> {
    const proxy = await RudeProxy.listen(
      join(fixture.daemon.root, `proxy-${++times}`),
      fixture.daemon.socket,
    );
    const args = name === 'classic' ? ['--no-cache'] : ['--no-cache', '--progress', 'plain'];
    const build = start(fixture.daemon.command(['build', ...args, folder], client), {
      env: { ...fixture.daemon.env, ...env, DOCKER_HOST: `unix://${proxy.path}` },
      timeoutMs: 100_000,
    });
    return { proxy, build };
  }

  test.each<Manner>(['half-closes', 'vanishes'])(
    'one that %s while a step prints: the step is ended, nothing is left',
    async (manner) => {
      const seconds = String(++times);
      const { proxy, build } = await begin(loudProject(`sleep ${seconds}`));
      try {
        await eventually(() => isRunning(`sleep\u0000${seconds}`), {
          timeoutMs: 60_000,
          what: () => 'the step',
        });
        proxy.behave(manner);
        await eventually(() => !isRunning(`sleep\u0000${seconds}`), {
          timeoutMs: 10_000,
          what: () => 'the end of the step',
        });
        await nothingLeft();
      } finally {
        proxy.close();
        build.child.kill('SIGKILL');
        await build.end();
      }
    },
    120_000,
  );

  test('one that stops reading while a step prints: the build ends all the same, and is told of when it reads on', async () => {
    const seconds = String(++times);
    const before = residentBytes();
    const { proxy, build } = await begin(loudProject(`sleep 2; : ${seconds}`));
    try {
      await eventually(() => isRunning(': '.concat(seconds)), { timeoutMs: 60_000, what: () => 'the step' });
      proxy.behave('stops reading');
      await eventually(() => !isRunning(': '.concat(seconds)), {
        timeoutMs: 30_000,
        what: () => 'the end of the step',
      });
      await nothingLeft();
      expect(residentBytes() - before).toBeLessThan(96 << 20);
      proxy.resume();
      const { code, stdout, stderr } = await build.end();
      expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
      const said = stdout + stderr;
      expect(said).toContain('[output clipped, log limit 200KiB/s reached]');
      expect(said).toMatch(/writing image|Successfully built/);
    } finally {
      proxy.close();
      build.child.kill('SIGKILL');
    }
  }, 120_000);
});

test('a step’s streams are cut at 2 MiB each, as BuildKit 0.25 cuts them', async () => {
  const loop = 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do yes | head -c 190000; sleep 1; done; echo end >&2';
  const folder = fixture.project({ Dockerfile: `FROM busybox\nRUN ${loop}\n` });
  const { stderr } = await fixture.daemon.run(['build', '--no-cache', '--progress', 'rawjson', folder], {
    timeoutMs: 100_000,
  });
  const texts = { 1: '', 2: '' };
  for (const line of stderr.split('\n').filter(Boolean)) {
    const { logs = [] } = JSON.parse(line) as { logs?: { stream: 1 | 2; data: string }[] };
    for (const { stream, data } of logs) texts[stream] += Buffer.from(data, 'base64').toString();
  }
  // What `docker buildx build` of Docker 28.5.2 shows of the same.
  expect([texts[1].length, texts[1].slice(-46), texts[2]]).toEqual([
    2_097_194,
    'y\ny\n\n[output clipped, log limit 2MiB reached]\n',
    'end\n',
  ]);
}, 120_000);
