import { describe, expect, test } from 'bun:test';
import type { ChainId, DiffId, Digest } from '../../oci/digest.ts';
import type { CacheRecord } from './cache-record.ts';
import { planPrune } from './plan-prune.ts';
import { SharedWork } from './shared-work.ts';
import { Turnstile } from './turnstile.ts';

const never = new AbortController().signal;
const quiet = { signal: never, tell: () => undefined };

describe('SharedWork', () => {
  test('does work of one key once for all who want it, and tells late comers what was told', async () => {
    const shared = new SharedWork<string, number>();
    const go = Promise.withResolvers<void>();
    let times = 0;
    const first = shared.run('k', quiet, async ({ tell }) => {
      times++;
      tell('begun');
      await go.promise;
      return 42;
    });
    await Bun.sleep(0);
    const heard: string[] = [];
    const second = shared.run('k', { signal: never, tell: (event) => heard.push(event) }, async () => 0);
    go.resolve();
    expect(await Promise.all([first, second])).toEqual([42, 42]);
    expect([times, heard, shared.size]).toEqual([1, ['begun'], 0]);
  });

  test('is given up only when the last of those who wait has left', async () => {
    const shared = new SharedWork<string, number>();
    const [one, two] = [new AbortController(), new AbortController()];
    let aborted = false;
    const work = async ({ signal }: { signal: AbortSignal }): Promise<number> => {
      const { promise, reject } = Promise.withResolvers<number>();
      signal.addEventListener('abort', () => {
        aborted = true;
        reject(signal.reason);
      });
      return await promise;
    };
    const outcome = (run: Promise<number>): Promise<string> =>
      run.then(String, (error: Error) => error.message);
    const first = outcome(shared.run('k', { signal: one.signal, tell: () => undefined }, work));
    const second = outcome(shared.run('k', { signal: two.signal, tell: () => undefined }, work));
    one.abort(new Error('left'));
    expect(await first).toBe('left');
    expect(aborted).toBe(false);
    two.abort(new Error('left too'));
    expect(await second).toBe('left too');
    expect([aborted, shared.size]).toEqual([true, 0]);
  });
});

test('a turnstile lets so many in, and forgets who has given up waiting', async () => {
  const turns = new Turnstile(1);
  const leave = await turns.enter(never);
  const impatient = new AbortController();
  const waiting = turns.enter(impatient.signal).then(
    () => 'in',
    (error: Error) => error.message,
  );
  const next = turns.enter(never);
  impatient.abort(new Error('gave up'));
  expect(await waiting).toBe('gave up');
  leave();
  leave();
  (await next)();
  (await turns.enter(never))();
});

describe('planPrune()', () => {
  const record = (id: string, parent: string | undefined, usedNano: bigint): CacheRecord => ({
    id,
    key: id,
    kind: 'regular',
    parent: parent as ChainId | undefined,
    layer: {
      chainId: id as ChainId,
      diffId: id as DiffId,
      descriptor: { mediaType: 'x', digest: id as Digest, size: 10 },
      tarSize: 10,
      createdNano: 0n,
    },
    sizeBytes: 10,
    description: id,
    createdNano: 0n,
    usedNano,
    uses: 1,
  });
  const records = [
    record('a', undefined, 1n),
    record('b', 'a', 2n),
    record('c', 'b', 9n),
    record('d', 'a', 3n),
  ];
  const prune = (keepBytes: number, used: string[] = []): string[] =>
    planPrune(records, {
      keepBytes,
      mayGo: ({ id }) => !used.includes(id),
      sizeOf: ({ sizeBytes }) => sizeBytes,
    }).map(({ id }) => id);

  test('takes the longest unused first, and none before what stands on it', () => {
    expect(prune(30)).toEqual(['d']);
    expect(prune(20)).toEqual(['d', 'c']);
    expect(prune(0)).toEqual(['d', 'c', 'b', 'a']);
  });

  test('leaves alone what a build uses, and what that stands on', () => {
    expect(prune(0, ['c'])).toEqual(['d']);
  });

  test('looks at each of many records no more than some times', () => {
    let looks = 0;
    const chain = Array.from({ length: 20_000 }, (_, at) => {
      const one = record(`${at}`, at === 0 ? undefined : `${at - 1}`, BigInt(at));
      const parent = one.parent;
      Object.defineProperty(one, 'parent', {
        get: () => {
          looks++;
          return parent;
        },
      });
      return one;
    });
    const gone = planPrune(chain, { keepBytes: 0, mayGo: () => true, sizeOf: () => 1 });
    expect(gone.map(({ id }) => Number(id))).toEqual(chain.map((_, at) => 19_999 - at));
    expect(looks).toBeLessThan(5 * chain.length);
  });

  test('takes many that stand on one in the order of their use', () => {
    const uses = Array.from({ length: 1000 }, (_, at) => (at * 7919) % 1000);
    const fan = [record('base', undefined, 0n), ...uses.map((use) => record(`${use}`, 'base', BigInt(use)))];
    const gone = planPrune(fan, { keepBytes: 0, mayGo: () => true, sizeOf: () => 1 });
    expect(gone.map(({ id }) => id)).toEqual([...Array.from({ length: 1000 }, (_, at) => `${at}`), 'base']);
  });
});
