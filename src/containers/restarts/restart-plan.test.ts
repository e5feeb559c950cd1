import { describe, expect, test } from 'bun:test';
import { type EndedRun, planRestart, startsWithDaemon } from './restart-plan.ts';

const failed: EndedRun = {
  policy: { name: 'always', maximumRetryCount: 0 },
  exitCode: 1,
  ranMs: 50,
  asked: false,
  restartCount: 0,
  lastDelayMs: 0,
};
const policy = (name: EndedRun['policy']['name'], maximumRetryCount = 0) => ({ name, maximumRetryCount });

describe('planRestart()', () => {
  test('doubles from 100 ms to a minute', () => {
    const delays: number[] = [];
    for (let lastDelayMs = 0; delays.length < 12; ) {
      lastDelayMs = planRestart({ ...failed, lastDelayMs })?.delayMs ?? -1;
      delays.push(lastDelayMs);
    }
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000]);
  });

  test('begins anew after a run of ten seconds', () => {
    expect(planRestart({ ...failed, lastDelayMs: 60_000, ranMs: 9_999 })).toEqual({ delayMs: 60_000 });
    expect(planRestart({ ...failed, lastDelayMs: 60_000, ranMs: 10_000 })).toEqual({ delayMs: 100 });
  });

  test('leaves alone what a user ended, whatever the policy', () => {
    for (const name of ['no', 'always', 'unless-stopped', 'on-failure'] as const)
      expect(planRestart({ ...failed, policy: policy(name), asked: true })).toBeUndefined();
  });

  test.each([
    ['no', 0, 1, 0, false],
    ['', 0, 1, 0, false],
    ['always', 0, 0, 99, true],
    ['unless-stopped', 0, 0, 99, true],
    ['on-failure', 0, 0, 0, false],
    ['on-failure', 0, 1, 99, true],
    ['on-failure', 2, 1, 1, true],
    ['on-failure', 2, 1, 2, false],
  ] as const)(
    '%p:%p after exit code %p and %p restarts: %p',
    (...[name, most, exitCode, restartCount, starts]) => {
      const plan = planRestart({ ...failed, policy: policy(name, most), exitCode, restartCount });
      expect(plan !== undefined).toBe(starts);
    },
  );
});

describe('startsWithDaemon()', () => {
  const record = (name: EndedRun['policy']['name'], change: object = {}) => ({
    host: { restartPolicy: policy(name) } as Parameters<typeof startsWithDaemon>[0]['host'],
    exitCode: 1,
    restartCount: 0,
    restartDue: false,
    startedAtNano: 1n,
    stoppedByUser: false,
    ...change,
  });

  test('always starts what a user had stopped, unless-stopped does not', () => {
    expect(startsWithDaemon(record('always', { stoppedByUser: true }))).toBe(true);
    expect(startsWithDaemon(record('unless-stopped', { stoppedByUser: true }))).toBe(false);
    expect(startsWithDaemon(record('unless-stopped'))).toBe(true);
  });

  test('on-failure goes by the exit code alone', () => {
    expect(startsWithDaemon(record('on-failure', { exitCode: 255 }))).toBe(true);
    expect(startsWithDaemon(record('on-failure', { exitCode: 0 }))).toBe(false);
  });

  test('what was due starts, also the last time that the policy allows', () => {
    const last = { restartDue: true, restartCount: 1 };
    expect(
      startsWithDaemon({
        ...record('on-failure', last),
        host: { restartPolicy: policy('on-failure', 1) } as never,
      }),
    ).toBe(true);
  });

  test('what was never started is not', () => {
    expect(startsWithDaemon(record('always', { startedAtNano: 0n }))).toBe(false);
    expect(startsWithDaemon(record('no'))).toBe(false);
  });
});
