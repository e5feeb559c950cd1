import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../support/engine/command.ts';
import { cgroupProcesses, daemonCgroups } from '../../support/engine/host-traces.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

const classic = { DOCKER_BUILDKIT: '0' };
let registry: SeedRegistry;

beforeAll(async () => {
  registry = await startSeedRegistry();
});

afterAll(async () => {
  await registry?.close();
});

/** What a build that has ended in any way must not leave: processes, mounts of roots, snapshots, received contexts, half layers. */
function leftovers(daemon: TestDaemon): string[] {
  const list = (path: string) => (existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : []);
  const { mounts, files } = daemon.traces();
  return [
    ...mounts.filter((point) => point.includes('/rootfs/')),
    ...files,
    ...daemonCgroups(daemon.dataRoot).flatMap((path) => cgroupProcesses(path).map((pid) => `process ${pid}`)),
    ...list(join(daemon.dataRoot, 'builder/contexts')),
    ...['erofs', 'overlay'].flatMap((driver) =>
      ['active', 'snapshots', 'staging', 'stage'].flatMap((name) =>
        list(join(daemon.dataRoot, 'layers', driver, name)),
      ),
    ),
  ];
}

describe.each(['erofs', 'overlay'] as const)('%s', (driver) => {
  let daemon: TestDaemon;
  let folder: string;

  beforeEach(async () => {
    daemon = await startDaemon({ mirrors: [registry.url], driver });
    folder = mkdtempSync(join(tmpdir(), 'build-'));
    await daemon.pull('busybox');
  }, 60_000);

  afterEach(async () => {
    await daemon.close();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  const runs = (pattern: string) => async () => {
    const cgroups = daemonCgroups(daemon.dataRoot).flatMap(cgroupProcesses);
    const commands = cgroups.map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return '';
      }
    });
    return commands.some((command) => command.includes(pattern));
  };

  async function startSlowBuild(): Promise<ReturnType<TestDaemon['startCommand']>> {
    writeFileSync(
      join(folder, 'Dockerfile'),
      'FROM busybox\nRUN echo first > /first\nRUN --mount=type=cache,target=/c touch /c/x && sleep 4711\n',
    );
    process.env['DOCKER_BUILDKIT'] = '0';
    const build = daemon.startCommand(['build', '-t', 'slow', folder]);
    await eventually(runs('sleep\u00004711'), {
      timeoutMs: 20_000,
      what: () => `the step to run\n${daemon.log.slice(-2000)}`,
    });
    return build;
  }

  test('a client that goes away ends its build, and nothing is left of it', async () => {
    const build = await startSlowBuild();
    build.child.kill('SIGKILL');
    await eventually(() => leftovers(daemon).length === 0, {
      timeoutMs: 20_000,
      what: () => leftovers(daemon).join('\n'),
    });
    expect((await daemon.run(['image', 'inspect', 'slow'])).code).not.toBe(0);
    // What was finished is there for the next one.
    writeFileSync(join(folder, 'Dockerfile'), 'FROM busybox\nRUN echo first > /first\n');
    const next = await daemon.run(['build', '-t', 'next', folder], { env: classic });
    expect(next.stdout).toContain('Using cache');
  }, 60_000);

  test('the daemon killed in the midst of a RUN leaves nothing behind once it is back', async () => {
    await startSlowBuild();
    await daemon.restart('SIGKILL');
    await eventually(() => leftovers(daemon).length === 0, {
      timeoutMs: 20_000,
      what: () => leftovers(daemon).join('\n'),
    });
    writeFileSync(join(folder, 'Dockerfile'), 'FROM busybox\nRUN echo first > /first\n');
    const next = await daemon.run(['build', '-t', 'next', folder], { env: classic });
    expect(next.stdout).toContain('Using cache');
    expect(await daemon.out(['run', '--rm', 'next', 'cat', '/first'])).toBe('first');
  }, 60_000);

  test('POST /build/cancel ends a build', async () => {
    writeFileSync(join(folder, 'Dockerfile'), 'FROM busybox\nRUN sleep 4711\n');
    const tar = Bun.spawnSync(['tar', '-C', folder, '-c', '.']).stdout;
    const answer = fetch('http://d/build?buildid=mine', {
      method: 'POST',
      unix: daemon.socket,
      body: tar,
    } as RequestInit);
    await eventually(runs('sleep\u00004711'), { timeoutMs: 20_000, what: () => 'the step to run' });
    expect((await daemon.api('POST', '/build/cancel?id=mine')).status).toBe(200);
    expect(await (await answer).text()).toContain('"error":');
    await eventually(() => leftovers(daemon).length === 0, {
      timeoutMs: 20_000,
      what: () => leftovers(daemon).join('\n'),
    });
  }, 60_000);

  test('a graceful stop of the daemon ends a build', async () => {
    await startSlowBuild();
    await daemon.restart();
    await eventually(() => leftovers(daemon).length === 0, {
      timeoutMs: 20_000,
      what: () => leftovers(daemon).join('\n'),
    });
  }, 60_000);
});
