import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { reapOrphans } from '../../chaos/reap-orphans.ts';
import { eventually } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let registry: SeedRegistry | undefined;
let engine: TestDaemon;
const orphans = reapOrphans();

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
});
afterEach(() => engine.removeContainers());
afterAll(async () => {
  await engine.close();
  await registry?.close();
  orphans.stop();
});

const status = () =>
  engine.out(['inspect', '-f', '{{.State.Health.Status}} {{.State.Health.FailingStreak}}', 'box']);
const becomes = (word: string) =>
  eventually(async () => (await status()).startsWith(word), { what: () => `the health to be ${word}` });

async function checked(check: string, ...options: string[]): Promise<void> {
  const timing = ['--health-interval', '300ms', '--health-retries', '2', '--health-timeout', '1s'];
  await engine.out(
    ['run', '-d', '--name', 'box', '--health-cmd', check, ...timing, ...options, 'busybox', 'sleep', '600'],
    { client: options.includes('--health-on-failure') ? 'sampan' : 'docker' },
  );
}

test('as the stock client sees it: starting, unhealthy, healthy; ps, filters, inspect and events', async () => {
  const events = engine.startCommand([
    'events',
    '--filter',
    'event=health_status',
    '--format',
    '{{.Action}}',
  ]);
  await checked('cat /ok && echo fine');
  expect(await engine.out(['ps', '--format', '{{.Status}}'])).toMatch(/^Up .* \(health: starting\)$/);
  await becomes('unhealthy');
  expect(await engine.out(['ps', '--format', '{{.Status}}'])).toMatch(/^Up .* \(unhealthy\)$/);
  const filtered = (health: string) =>
    engine.out(['ps', '--filter', `health=${health}`, '--format', '{{.Names}}']);
  expect([await filtered('unhealthy'), await filtered('healthy'), await filtered('none')]).toEqual([
    'box',
    '',
    '',
  ]);
  const { Health } = (await engine.inspect('box'))['State'] as {
    Health: { Log: { ExitCode: number; Output: string }[] };
  };
  expect(Health.Log[0]).toMatchObject({
    ExitCode: 1,
    Output: "cat: can't open '/ok': No such file or directory\n",
  });
  await engine.out(['exec', 'box', 'touch', '/ok']);
  await becomes('healthy 0');
  expect(await engine.out(['ps', '--format', '{{.Status}}'])).toMatch(/^Up .* \(healthy\)$/);
  await events.until(/health_status: unhealthy\nhealth_status: healthy\n/);
  events.child.kill();
  await engine.out(['stop', '-t', '0', 'box']);
  expect(await engine.out(['ps', '-a', '--format', '{{.Status}}'])).toMatch(/^Exited \(137\)[^(]*$/);
});

test('a slow check is killed with what it has started to say; long output is cut', async () => {
  await checked('echo slow; exec sleep 60');
  await becomes('unhealthy');
  const log = () =>
    engine.out([
      'inspect',
      '-f',
      '{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}',
      'box',
    ]);
  expect(await log()).toBe('-1 Health check exceeded timeout (1s): slow');
  // The next one may be running by now, those before it are gone.
  const running = (await engine.out(['exec', 'box', 'ps'])).match(/sleep 60$/gm) ?? [];
  expect(running.length).toBeLessThanOrEqual(1);
  await engine.removeContainers();
  await checked('head -c 10000 /dev/zero | tr "\\0" x');
  await becomes('healthy');
  expect((await log()).length).toBe('0 '.length + 4096 + '...'.length);
});

test('the next daemon goes on with the streak, after a kill -9 too', async () => {
  await checked('exit 1', '--health-retries', '1000');
  await eventually(async () => Number((await status()).split(' ')[1]) >= 2, { what: () => 'two failures' });
  const before = Number((await status()).split(' ')[1]);
  await engine.restart('SIGKILL');
  const after = Number((await status()).split(' ')[1]);
  expect(after).toBeGreaterThanOrEqual(before);
  await eventually(async () => Number((await status()).split(' ')[1]) > after, {
    what: () => 'another failure',
  });
});

test('beyond Docker: what becomes of an unhealthy container', async () => {
  await checked('exit 1', '--health-on-failure', 'stop', '--stop-timeout', '0');
  await engine.out(['wait', 'box']);
  expect(((await engine.inspect('box'))['HostConfig'] as { HealthOnFailure: string }).HealthOnFailure).toBe(
    'stop',
  );
  await engine.removeContainers();
  await checked('exit 1', '--health-on-failure', 'restart', '--stop-timeout', '0');
  const started = () => engine.out(['inspect', '-f', '{{.State.StartedAt}}', 'box']);
  const first = await started();
  await eventually(async () => (await started()) !== first, { what: () => 'a restart' });
  await engine.removeContainers();
  await checked('exit 1', '--health-on-failure', 'kill');
  expect(await engine.out(['wait', 'box'])).toBe('137');
  const refused = await engine.run(['run', '--health-on-failure', 'explode', 'busybox'], {
    client: 'sampan',
  });
  expect(refused.stderr).toContain("invalid --health-on-failure: 'explode'");
});
