import { describe, expect, test } from 'bun:test';
import { EngineError } from '../../errors/engine-error.ts';
import { RegistryResponseError, retryAfterOf } from './response-errors.ts';
import { isTransient, pauseBefore } from './retry.ts';
import { defaultTiming } from './timing.ts';

const busy = new EngineError('unavailable', 'busy', { code: 'registry-rate-limited' });
const asking = (retryAfterMs: number | undefined) =>
  new RegistryResponseError(busy, { status: 429, retryAfterMs });

describe('retryAfterOf()', () => {
  test.each<[string, number | undefined]>([
    ['120', 120_000],
    [' 0 ', 0],
    ['Wed, 21 Oct 2015 07:28:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    ['-5', undefined],
    ['99999999999', undefined],
  ])('reads %p', (value, expected) => {
    expect(retryAfterOf(new Headers({ 'retry-after': value }))).toBe(expected as never);
  });

  test('reads a date to come as the time until then', () => {
    const inAMinute = new Date(Date.now() + 60_000).toUTCString();
    const pause = retryAfterOf(new Headers({ 'retry-after': inAMinute })) ?? 0;
    expect(pause).toBeGreaterThan(50_000);
    expect(pause).toBeLessThanOrEqual(60_000);
  });
});

describe('pauseBefore()', () => {
  const pauses = async (error: unknown, attempt = 1): Promise<number[]> => {
    const told: number[] = [];
    const controller = new AbortController();
    const onPause = (pauseMs: number) => {
      told.push(pauseMs);
      controller.abort(new Error('seen enough'));
    };
    await pauseBefore(attempt, error, { timing: defaultTiming, signal: controller.signal, onPause }).catch(
      () => undefined,
    );
    return told;
  };

  test('doubles up to a limit, with jitter downwards', async () => {
    for (const [attempt, ceiling] of [
      [1, 500],
      [2, 1000],
      [4, 4000],
      [12, 10_000],
    ] as const) {
      const [pause = 0] = await pauses(asking(undefined), attempt);
      expect(pause).toBeGreaterThanOrEqual(ceiling / 2);
      expect(pause).toBeLessThanOrEqual(ceiling);
    }
  });

  test('keeps to what the registry asked, unless that is too long', async () => {
    expect(await pauses(asking(1234))).toEqual([1234]);
    expect(await pauses(asking(61_000))).toEqual([]);
  });

  test('an abort ends it with its reason; a refusal ends it with itself', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const pause = pauseBefore(1, asking(30_000), { timing: defaultTiming, signal: controller.signal });
    controller.abort(reason);
    expect(await pause.catch((error: unknown) => error)).toBe(reason);
    const denied = new EngineError('forbidden', 'denied', { code: 'registry-denied' });
    const options = { timing: defaultTiming, signal: new AbortController().signal };
    expect(await pauseBefore(1, denied, options).catch((error: unknown) => error)).toBe(denied);
    expect([isTransient(denied), isTransient(busy), isTransient(new Error('x'))]).toEqual([
      false,
      true,
      false,
    ]);
  });
});
