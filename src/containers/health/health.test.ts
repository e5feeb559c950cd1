import { expect, test } from 'bun:test';
import type { Healthcheck } from '../../oci/image-config.ts';
import {
  type Health,
  type HealthPlan,
  healthAfter,
  healthPlan,
  nextCheckMs,
  startingHealth,
  uncheckedHealth,
} from './health.ts';
import { goDuration } from './run-probe.ts';

function check(change: Partial<Healthcheck> = {}): Healthcheck {
  return {
    test: ['CMD', 'true'],
    intervalNs: 0n,
    timeoutNs: 0n,
    startPeriodNs: 0n,
    startIntervalNs: 0n,
    retries: 0,
    ...change,
  };
}

const plan = healthPlan({
  healthcheck: check({ retries: 2, startPeriodNs: 10_000_000_000n }),
  shell: undefined,
}) as HealthPlan;
const fresh = startingHealth(undefined);
const result = (exitCode: number, atNano = 0n) => ({
  startNano: atNano,
  endNano: atNano + 1n,
  exitCode,
  output: '',
});

test("Docker's defaults, and the three kinds of test", () => {
  expect(healthPlan({ healthcheck: check(), shell: undefined })).toEqual({
    command: ['true'],
    intervalMs: 30_000,
    timeoutMs: 30_000,
    startPeriodMs: 0,
    startIntervalMs: 5_000,
    retries: 3,
  });
  const shell = healthPlan({ healthcheck: check({ test: ['CMD-SHELL', 'a && b'] }), shell: undefined });
  expect(shell?.command).toEqual(['/bin/sh', '-c', 'a && b']);
  expect(
    healthPlan({ healthcheck: check({ test: ['CMD-SHELL', 'x'] }), shell: ['/bin/bash', '-ec'] })?.command,
  ).toEqual(['/bin/bash', '-ec', 'x']);
  for (const test of [['NONE'], [], ['CMD'], ['WHAT', 'x']])
    expect(healthPlan({ healthcheck: check({ test }), shell: undefined })).toBeUndefined();
  expect(healthPlan({ healthcheck: undefined, shell: undefined })).toBeUndefined();
});

test('failures in the start period count for nothing, until the container was healthy once', () => {
  const started = 0n;
  const early = healthAfter(fresh, result(1, 5_000_000_000n), plan, started);
  expect(early).toMatchObject({ status: 'starting', failingStreak: 0 });
  const healthy = healthAfter(early, result(0, 6_000_000_000n), plan, started);
  expect(healthy).toMatchObject({ status: 'healthy', failingStreak: 0 });
  expect(healthAfter(healthy, result(1, 7_000_000_000n), plan, started)).toMatchObject({
    status: 'healthy',
    failingStreak: 1,
  });
  const late = healthAfter(early, result(-1, 10_000_000_000n), plan, started);
  expect(late).toMatchObject({ status: 'starting', failingStreak: 1 });
  expect(healthAfter(late, result(1, 11_000_000_000n), plan, started)).toMatchObject({
    status: 'unhealthy',
    failingStreak: 2,
  });
});

test('the last five results are kept, over starts too', () => {
  let health: Health = fresh;
  for (let code = 1; code <= 7; code++) health = healthAfter(health, result(code), plan, 0n);
  expect(health.log.map(({ exitCode }) => exitCode)).toEqual([3, 4, 5, 6, 7]);
  expect(startingHealth(uncheckedHealth(health))).toEqual({
    ...health,
    status: 'starting',
    failingStreak: 0,
  });
});

test('the start interval holds in the start period, as long as the container is starting', () => {
  expect(nextCheckMs(plan, 'starting', 0)).toBe(5_000);
  expect(nextCheckMs(plan, 'starting', 10_000)).toBe(30_000);
  expect(nextCheckMs(plan, 'healthy', 0)).toBe(30_000);
});

test('durations as Go prints them', () => {
  expect([500, 1000, 1500, 90_000, 60_000, 3_600_000].map(goDuration)).toEqual([
    '500ms',
    '1s',
    '1.5s',
    '1m30s',
    '1m0s',
    '1h0m0s',
  ]);
});
