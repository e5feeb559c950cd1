import { expect, test } from 'bun:test';
import { copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Healthcheck } from '../../oci/image-config.ts';
import type { HostOptions } from '../container.ts';
import { ServiceBench } from '../testing/service-bench.ts';

const bench = new ServiceBench();

function check(test: string[], change: Partial<Healthcheck> = {}): Healthcheck {
  return {
    test,
    intervalNs: 20_000_000n,
    timeoutNs: 0n,
    startPeriodNs: 0n,
    startIntervalNs: 0n,
    retries: 2,
    ...change,
  };
}

async function start(healthcheck: Healthcheck, host: Partial<HostOptions> = {}): Promise<void> {
  await bench.create('box', 'sleep', { config: { healthcheck }, host });
  await bench.daemon.service.start('box');
}

const healthOf = async () => (await bench.stateOf('box')).health;

async function until(isTrue: () => Promise<boolean> | boolean): Promise<void> {
  for (let waited = 0; waited < 5000; waited += 5) {
    if (await isTrue()) return;
    await sleep(5);
  }
  throw new Error(`never happened; events: ${bench.daemon.events.join(', ')}`);
}

const count = (event: string) => bench.daemon.events.filter((action) => action === event).length;

test('a container without a check has no health', async () => {
  await start(check(['NONE']));
  expect(await healthOf()).toBeUndefined();
  await sleep(60);
  expect(bench.daemon.runtime.calls.some((call) => call.startsWith('exec'))).toBe(false);
});

test('starting, then unhealthy after its retries, with results and events; the checks themselves are forgotten', async () => {
  await start(check(['CMD', 'three', 'x']));
  expect(await healthOf()).toEqual({ status: 'starting', failingStreak: 0, log: [] });
  await until(async () => (await healthOf())?.status === 'unhealthy');
  expect((await healthOf())?.log[0]).toMatchObject({ exitCode: 3, output: 'out\n' });
  expect(count('health_status: unhealthy')).toBe(1);
  expect(count('exec_create: three x')).toBeGreaterThanOrEqual(2);
  await until(async () => ((await healthOf())?.failingStreak ?? 0) > 3);
  expect(count('health_status: unhealthy')).toBe(1);
  await bench.daemon.service.stop('box', { signal: undefined, timeoutSeconds: 1 });
  expect((await bench.daemon.service.inspect('box')).execIds).toEqual([]);
});

test('a check that takes too long is ended, and says what it had said', async () => {
  await start(check(['CMD', 'sleep'], { timeoutNs: 30_000_000n, retries: 1 }));
  await until(async () => (await healthOf())?.status === 'unhealthy');
  expect((await healthOf())?.log[0]).toMatchObject({
    exitCode: -1,
    output: 'Health check exceeded timeout (30ms)',
  });
});

test('a check that cannot be run is a failure with the reason', async () => {
  await start(check(['CMD', 'nosuch']));
  await until(async () => (await healthOf())?.status === 'unhealthy');
  expect((await healthOf())?.log[0]?.output).toBe(
    'OCI runtime exec failed: exec failed: unable to start container process: exec: "nosuch": executable file not found in $PATH',
  );
});

test('nothing is checked while it is paused, nor after its end; the next start begins anew', async () => {
  await start(check(['CMD', 'cat']));
  await until(async () => (await healthOf())?.status === 'healthy');
  await bench.daemon.service.pause('box');
  expect((await healthOf())?.status).toBe('unhealthy');
  const checks = count('exec_start: cat ');
  await sleep(80);
  expect(count('exec_start: cat ')).toBe(checks);
  await bench.daemon.service.unpause('box');
  await until(async () => (await healthOf())?.status === 'healthy');
  await bench.daemon.service.stop('box', { signal: undefined, timeoutSeconds: 1 });
  expect(await healthOf()).toMatchObject({ status: 'unhealthy', failingStreak: 0 });
  await bench.daemon.service.start('box');
  expect((await healthOf())?.status).toBe('starting');
});

test('the next daemon knows health and failing streak, of the stopped too', async () => {
  await start(check(['CMD', 'three'], { retries: 1000 }));
  await until(async () => ((await healthOf())?.failingStreak ?? 0) >= 2);
  await bench.daemon.service.close();
  const before = await healthOf();
  await bench.reboot();
  const after = await healthOf();
  expect(after?.failingStreak).toBeGreaterThanOrEqual(before?.failingStreak ?? 0);
  expect(after?.log.length).toBeGreaterThan(0);
  const streak = after?.failingStreak ?? 0;
  await until(async () => ((await healthOf())?.failingStreak ?? 0) > streak);
  await bench.daemon.service.stop('box', { signal: undefined, timeoutSeconds: 1 });
  await bench.daemon.service.close();
  await bench.reboot();
  expect(await healthOf()).toMatchObject({ status: 'unhealthy' });
});

test.each(['kill', 'stop', 'restart'] as const)('an unhealthy container: %s', async (action) => {
  await start(check(['CMD', 'three'], { retries: 1 }), { healthOnFailure: action });
  await until(() => bench.daemon.events.includes('die'));
  const { events, runtime } = bench.daemon;
  expect(events.indexOf('health_status: unhealthy')).toBeLessThan(events.indexOf('die'));
  const killed = runtime.calls.find((call) => call.startsWith('kill'));
  expect(killed).toStartWith(action === 'kill' ? 'kill 9 ' : 'kill 15 ');
  if (action === 'restart') await until(() => events.includes('restart'));
  else expect((await bench.stateOf('box')).status).toBe('exited');
});

test('what was known of a container that a daemon died amid removing goes with the next one', async () => {
  await start(check(['CMD', '/healthy']));
  const notes = bench.daemon.paths.healthNotes;
  await until(() => readdirSync(notes).length === 1);
  await bench.daemon.service.close();
  const [own = ''] = readdirSync(notes);
  copyFileSync(join(notes, own), join(notes, `${'f'.repeat(64)}.json`));
  writeFileSync(join(notes, `${own}.tmp`), '{');
  await bench.reboot();
  expect(readdirSync(notes)).toEqual([own]);
});
