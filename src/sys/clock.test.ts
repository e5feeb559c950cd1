import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { bootId, nowNano, processStartTicks, startTicksOf } from './clock.ts';

test('nowNano() is the time of day', () => {
  const before = Date.now();
  const now = nowNano();
  const after = Date.now();
  expect(Number(now / 1_000_000n)).toBeGreaterThanOrEqual(before);
  expect(Number(now / 1_000_000n)).toBeLessThanOrEqual(after);
});

test('nowNano() is finer than a microsecond', () => {
  const samples = Array.from({ length: 50 }, () => nowNano());
  expect(samples.some((sample) => sample % 1000n !== 0n)).toBe(true);
  expect(new Set(samples).size).toBeGreaterThan(40);
});

test('bootId() is the UUID of this boot', () => {
  expect(bootId()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

test('a start time is read past a hostile name', () => {
  const tail = `S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 98765 20 21`;
  expect(startTicksOf(`42 (a) b) (c 1 2) ${tail}`)).toBe(98765);
});

test('processStartTicks() agrees with the uptime and knows what is not there', () => {
  const uptimeSeconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  const ticks = processStartTicks(process.pid) ?? 0;
  expect(uptimeSeconds - ticks / 100).toBeLessThan(process.uptime() + 5);
  expect(processStartTicks(4_194_400)).toBeUndefined();
});
