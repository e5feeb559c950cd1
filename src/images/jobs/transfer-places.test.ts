import { expect, test } from 'bun:test';
import { setImmediate as turn } from 'node:timers/promises';
import { failureOf } from '../../../test/support/failure-of.ts';
import { TransferPlaces } from './transfer-places.ts';

const never = new AbortController().signal;
const silent = (): Promise<never> => new Promise(() => undefined);

function house(places: number) {
  const clock = { ms: 0 };
  return { clock, taken: new TransferPlaces({ places, silenceMs: 1000, now: () => clock.ms }) };
}

test('take() gives places in order of arrival', async () => {
  const { taken } = house(2);
  const order: number[] = [];
  const [first, second] = [await taken.take(never), await taken.take(never)];
  const rest = [0, 1, 2].map(async (at) => {
    const place = await taken.take(never);
    order.push(at);
    return place;
  });
  await turn();
  expect([order, taken.waiting]).toEqual([[], 3]);
  first.leave();
  first.leave();
  await turn();
  expect(order).toEqual([0]);
  second.leave();
  (await rest[0])?.leave();
  (await Promise.all(rest)).map((place) => place.leave());
  expect([order, taken.waiting]).toEqual([[0, 1, 2], 0]);
});

test('a place that is handed on is not given twice', async () => {
  const { taken } = house(1);
  const first = await taken.take(never);
  const second = taken.take(never);
  first.leave();
  const third = taken.take(never);
  (await second).leave();
  await third;
});

test('who gives up while waiting is passed over', async () => {
  const { taken } = house(1);
  const first = await taken.take(never);
  const gone = new AbortController();
  const failure = failureOf(taken.take(gone.signal));
  const last = taken.take(never);
  gone.abort(new Error('gone'));
  expect(await failure).toMatchObject({ message: 'gone' });
  first.leave();
  await last;
  expect(await failureOf(taken.take(AbortSignal.abort(new Error('never came'))))).toMatchObject({
    message: 'never came',
  });
});

test('the silent one gives way to who waits, the one that sends now and then does not', async () => {
  const { taken, clock } = house(2);
  const [slow, mute] = [await taken.take(never), await taken.take(never)];
  const cut = failureOf(mute.waitFor(silent()));
  for (let at = 0; at < 5; at++) {
    clock.ms += 900;
    await slow.waitFor(Promise.resolve(at));
  }
  const pending = slow.waitFor(silent());
  taken.review();
  const waiting = taken.take(never);
  await turn();
  expect(taken.waiting).toBe(1);
  taken.review();
  expect(await cut).toMatchObject({ kind: 'unavailable', code: 'client-silent' });
  await waiting;
  expect(await Promise.race([pending.catch(() => 'cut'), turn('here')])).toBe('here');
});

test('nobody is cut where nobody waits, however long the silence; our own work is none of it', async () => {
  const { taken, clock } = house(2);
  const [mute, busy] = [await taken.take(never), await taken.take(never)];
  const pending = mute.waitFor(silent());
  clock.ms += 1_000_000;
  taken.review();
  expect(await Promise.race([pending.catch(() => 'cut'), turn('here')])).toBe('here');
  mute.leave();
  await taken.take(never);
  void taken.take(never).catch(() => undefined);
  taken.review();
  expect(await busy.waitFor(Promise.resolve('still here'))).toBe('still here');
});
