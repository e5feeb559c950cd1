import { expect, test } from 'bun:test';
import { encodeServerTiming, parseServerTiming } from '../../wire/server-timing.ts';
import { runTiming } from './run-timing.ts';

const call = (path: string, startMs: number, endMs: number) => ({
  method: 'POST',
  path,
  startMs,
  endMs,
  server: undefined,
});

test('what follows one after another adds up; what the daemon did stands within its call', () => {
  const steps = [
    { name: 'network', startMs: 1, endMs: 6 },
    { name: 'namespace', startMs: 1, endMs: 3 },
    { name: 'of-a-later-daemon', startMs: 6, endMs: 7 },
  ];
  const text = runTiming({
    begunMs: 5,
    calls: [
      call('/v1.51/containers/create?name=a', 5.5, 12),
      call('/v1.51/containers/c/wait?condition=removed', 12.5, 14),
      call('/v1.51/containers/c/attach', 12.2, 13),
      { ...call('/v1.51/containers/c/start', 14, 24), server: { totalMs: 8, steps } },
    ],
    endedMs: 30,
  });
  expect(text).toBe(`    at ms      took
    0.0      5.0  this program begun
    5.0      7.0  create
   12.0      2.0  attach and wait
   14.0     10.0  start
   16.0               5.0  network joined, its files written
   16.0                        2.0  network namespace made
   21.0               1.0  of-a-later-daemon
   24.0      6.0  the command, its output and its end
    0.0     30.0  in all
`);
});

test('Server-Timing comes back as it went, and what is none is left out', () => {
  const timing = { totalMs: 9.125, steps: [{ name: 'let-go', startMs: 0.5, endMs: 3 }] };
  const text = encodeServerTiming(timing);
  expect(text).toBe('total;dur=9.125, let-go;dur=2.5;start=0.5');
  expect(parseServerTiming(text)).toEqual(timing);
  expect(parseServerTiming('cache;desc="x", total;dur=1, \u001b[31m;dur=2;start=1')).toEqual({
    totalMs: 1,
    steps: [],
  });
  expect(parseServerTiming('cdn;dur=3')).toBeUndefined();
});
