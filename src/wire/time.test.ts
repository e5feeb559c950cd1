import { expect, test } from 'bun:test';
import {
  formatDuration,
  formatTime,
  formatTimeFixed,
  formatUnixTime,
  parseDuration,
  parseTime,
  parseTimeParameter,
  ZERO_TIME,
} from './time.ts';

test('formatTime() cuts trailing zeros as RFC3339Nano does; 0n is the zero time', () => {
  expect(formatTime(1700000000123456789n)).toBe('2023-11-14T22:13:20.123456789Z');
  expect(formatTime(1700000000120000000n)).toBe('2023-11-14T22:13:20.12Z');
  expect(formatTime(1700000000000000000n)).toBe('2023-11-14T22:13:20Z');
  expect(formatTime(0n)).toBe(ZERO_TIME);
  expect(formatTime(-1n)).toBe('1969-12-31T23:59:59.999999999Z');
  expect(formatTimeFixed(1700000000120000000n)).toBe('2023-11-14T22:13:20.120000000Z');
  expect(formatUnixTime(1700000000000000001n)).toBe('1700000000.000000001');
});

test('parseTime() reads zones and fractions, and refuses the rest', () => {
  expect(parseTime('2023-11-14T22:13:20.123456789Z')).toBe(1700000000123456789n);
  expect(parseTime('2023-11-14T23:13:20.5+01:00')).toBe(1700000000500000000n);
  expect(parseTime(ZERO_TIME)).toBe(0n);
  for (const text of ['', '2023-11-14', '2023-13-14T22:13:20Z', '2023-11-14T22:13:20', 'x'])
    expect(parseTime(text)).toBeUndefined();
});

test('parseDuration() and formatDuration() speak as Go does', () => {
  for (const [text, nano] of [
    ['1h30m', 5400_000_000_000n],
    ['1.5s', 1_500_000_000n],
    ['-10ms', -10_000_000n],
    ['.5m', 30_000_000_000n],
    ['1µs', 1000n],
    ['0', 0n],
  ] as const)
    expect(parseDuration(text)).toBe(nano);
  for (const text of ['', '1', 's', '1d', '1.2.3s', '10 m', '9223372036855s9223372036854775807ns'])
    expect(parseDuration(text), text).toBeUndefined();
  expect(
    [0n, 5n, 1500n, 250_000_000n, 1_500_000_000n, 60_000_000_000n, 5400_000_000_000n].map(formatDuration),
  ).toEqual(['0s', '5ns', '1.5µs', '250ms', '1.5s', '1m0s', '1h30m0s']);
});

test('parseTimeParameter() takes unix seconds, RFC 3339, dates and durations back from now', () => {
  const now = 1700000000_000000000n;
  expect(parseTimeParameter('1700000000.123456789')).toBe(1700000000123456789n);
  expect(parseTimeParameter('1700000000')).toBe(now);
  expect(parseTimeParameter('10m', now)).toBe(now - 600_000_000_000n);
  expect(parseTimeParameter('2023-11-14T22:13:20Z')).toBe(now);
  expect(parseTimeParameter('2023-11-14Z')).toBe(1699920000_000000000n);
  expect(parseTimeParameter('2023-11-14T22:13')).toBe(
    BigInt(new Date(2023, 10, 14, 22, 13).getTime()) * 1000000n,
  );
  for (const text of ['', 'yesterday', '1e9', '99999999999999999999'])
    expect(() => parseTimeParameter(text)).toThrow('failed to parse');
});
