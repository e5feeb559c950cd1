import { expect, test } from 'bun:test';
import { silentLogger } from '../errors/logger.ts';
import { SqliteStateDb } from '../storage/sqlite-state-db.ts';
import type { EngineEvent } from './event.ts';
import { EventBus, eventTables } from './event-bus.ts';
import { eventLabels } from './event-size.ts';

const migrations = [{ version: 1, name: 'events', statements: eventTables }];
const none = { sinceNano: undefined, untilNano: undefined, filters: new Map<string, string[]>() };
const event = (action: string, attributes: Record<string, string> = {}) => ({
  type: 'container' as const,
  action,
  actorId: 'abc',
  attributes,
});

async function withBus(work: (bus: EventBus) => Promise<void>): Promise<void> {
  const db = await SqliteStateDb.open(':memory:', migrations);
  const bus = await EventBus.open(db, silentLogger);
  try {
    await work(bus);
  } finally {
    await bus.close();
    await db.close();
  }
}

async function take(events: AsyncIterable<EngineEvent>, count: number): Promise<EngineEvent[]> {
  const taken: EngineEvent[] = [];
  for await (const one of events) {
    taken.push(one);
    if (taken.length === count) break;
  }
  return taken;
}

test('times rise strictly, also when a given time is in the past', () =>
  withBus(async (bus) => {
    const events = bus.subscribe(none, AbortSignal.timeout(5000));
    bus.publish(event('create'));
    bus.publish({ ...event('die'), timeNano: 5n });
    bus.publish(event('destroy'));
    const [first, second, third] = await take(events, 3);
    expect([first?.action, second?.action, third?.action]).toEqual(['create', 'die', 'destroy']);
    expect(second!.timeNano > first!.timeNano && third!.timeNano > second!.timeNano).toBe(true);
  }));

test('since replays, until ends', () =>
  withBus(async (bus) => {
    for (const action of ['a', 'b', 'c'])
      bus.publish({ ...event(action), timeNano: BigInt(action.charCodeAt(0)) });
    const replay = bus.subscribe({ ...none, sinceNano: 98n, untilNano: 98n }, AbortSignal.timeout(5000));
    expect((await Array.fromAsync(replay)).map(({ action }) => action)).toEqual(['b']);
  }));

test('filters: alternatives within a key, all keys, every label', () =>
  withBus(async (bus) => {
    const filters = new Map([
      ['event', ['start', 'die']],
      ['label', ['a=1', 'b']],
    ]);
    const events = bus.subscribe({ ...none, filters }, AbortSignal.timeout(5000));
    bus.publish(event('start', { a: '1' }));
    bus.publish(event('create', { a: '1', b: '' }));
    bus.publish(event('die', { a: '1', b: 'x' }));
    expect((await take(events, 1))[0]?.action).toBe('die');
    const unknown = bus.subscribe(
      { ...none, filters: new Map([['nosuch', ['x']]]) },
      AbortSignal.timeout(5000),
    );
    bus.publish(event('stop'));
    expect((await take(unknown, 1))[0]?.action).toBe('stop');
  }));

test('a filter on an object takes the beginning of its id or name', () =>
  withBus(async (bus) => {
    for (const value of ['ab', 'we']) {
      const filters = new Map([['container', [value]]]);
      const events = bus.subscribe({ ...none, filters }, AbortSignal.timeout(5000));
      bus.publish({ ...event('other', { name: 'awe' }), actorId: 'cab' });
      bus.publish(event('rename', { name: 'web2' }));
      expect((await take(events, 1))[0]?.action).toBe('rename');
    }
  }));

test('the last 1,000 survive a restart', async () => {
  const db = await SqliteStateDb.open(':memory:', migrations);
  const bus = await EventBus.open(db, silentLogger);
  for (let count = 0; count < 1200; count++)
    bus.publish({ ...event(`e${count}`), timeNano: BigInt(count + 1) });
  await bus.close();
  const again = await EventBus.open(db, silentLogger);
  const kept = await Array.fromAsync(
    again.subscribe({ ...none, sinceNano: 0n, untilNano: 5000n }, AbortSignal.timeout(5000)),
  );
  expect([kept.length, kept[0]?.action, kept.at(-1)?.action]).toEqual([1000, 'e200', 'e1199']);
  await again.close();
  await db.close();
});

test('what is kept is bounded by its length too, over a restart', async () => {
  const db = await SqliteStateDb.open(':memory:', migrations);
  const bus = await EventBus.open(db, silentLogger);
  const long = 'x'.repeat(60_000);
  for (let count = 0; count < 400; count++)
    bus.publish({ ...event(`e${count}`, { long }), timeNano: BigInt(count + 1) });
  const past = (from: EventBus) =>
    Array.fromAsync(from.subscribe({ ...none, sinceNano: 0n, untilNano: 5000n }, AbortSignal.timeout(5000)));
  const kept = await past(bus);
  expect(kept.at(-1)?.action).toBe('e399');
  expect(kept.length).toBe(Math.floor((8 * 1024 * 1024) / (60_000 + 'longe399'.length)));
  await bus.close();
  const rows = await db.query<{ length: number }>('SELECT SUM(LENGTH(event)) AS length FROM events');
  expect(Number(rows[0]?.length)).toBeLessThan(9_000_000);
  const again = await EventBus.open(db, silentLogger);
  expect((await past(again)).at(-1)?.action).toBe('e399');
  await again.close();
  await db.close();
});

test('a reader that lags behind by many bytes is cut off', () =>
  withBus(async (bus) => {
    const events = bus.subscribe(none, AbortSignal.timeout(5000))[Symbol.asyncIterator]();
    for (let count = 0; count < 700; count++) bus.publish(event('a', { long: 'x'.repeat(60_000) }));
    const read = async (): Promise<void> => {
      for (;;) await events.next();
    };
    expect(String(await read().catch((error: unknown) => error))).toContain('events behind');
  }));

test('labels of megabytes are left out, what an event is about is not; an action has an end', () =>
  withBus(async (bus) => {
    const labels = {
      small: 's',
      ...Object.fromEntries(['a', 'b', 'c'].map((name) => [name, 'x'.repeat(40_000)])),
    };
    expect(Object.keys(eventLabels(labels))).toEqual(['small', 'a']);
    expect(eventLabels(labels)).toBe(eventLabels(labels));
    const few = { a: '1' };
    expect(eventLabels(few)).toBe(few);
    const events = bus.subscribe(none, AbortSignal.timeout(5000));
    bus.publish(event(`exec_create: ${'y'.repeat(1_000_000)}`));
    expect((await take(events, 1))[0]?.action.length).toBe(32 * 1024);
  }));
