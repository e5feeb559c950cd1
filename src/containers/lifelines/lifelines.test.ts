import { describe, expect, test } from 'bun:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../../errors/engine-error.ts';
import type { VolumeView } from '../../volumes/volume-backend.ts';
import type { ContainerView } from '../container.ts';
import { Lifelines } from './lifelines.ts';

const LIFELINE_KEY = 'lifeline';
const ID = 'a'.repeat(64);

/** Containers and volumes in memory, by name → lifeline. `failures` removals fail first. */
function world({ failures = 0, graceMs = 20 }: { failures?: number; graceMs?: number } = {}) {
  const containers = new Map<string, string | undefined>();
  const volumes = new Map<string, string | undefined>();
  const removed: string[] = [];
  const errors: string[] = [];
  let left = failures;
  const remove = async (all: Map<string, unknown>, name: string) => {
    if (left-- > 0) throw new EngineError('internal', 'busy');
    if (!all.delete(name)) throw new EngineError('not-found', 'gone');
    removed.push(name);
  };
  const lifelines = new Lifelines({
    key: LIFELINE_KEY,
    containers: {
      list: async () =>
        [...containers].map(
          ([id, line]) =>
            ({
              id,
              host: { annotations: line === undefined ? {} : { [LIFELINE_KEY]: line } },
            }) as ContainerView,
        ),
      remove: (name) => remove(containers, name),
    },
    volumes: {
      list: async () =>
        [...volumes].map(
          ([name, line]) =>
            ({ name, labels: line === undefined ? {} : { [LIFELINE_KEY]: line } }) as unknown as VolumeView,
        ),
      remove: (name) => remove(volumes, name),
    },
    logger: {
      debug() {},
      info() {},
      warn() {},
      error: (_message, fields) => void errors.push(String(fields?.['error'])),
    },
    graceMs,
    retryMs: [5, 5],
  });
  return { lifelines, containers, volumes, removed, errors };
}

async function eventually(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !holds(); i++) await sleep(5);
  expect(holds()).toBe(true);
}

describe('a lost connection', () => {
  test('takes its containers, then its volumes, and nothing else', async () => {
    const { lifelines, containers, volumes, removed } = world();
    const hold = new AbortController();
    lifelines.hold(ID, hold.signal);
    for (const [name, line] of [
      ['own', ID],
      ['free', undefined],
      ['other', 'b'.repeat(64)],
    ] as const) {
      containers.set(name, line);
      volumes.set(`${name}-volume`, line);
    }
    hold.abort();
    await eventually(() => removed.length === 2);
    expect(removed).toEqual(['own', 'own-volume']);
  });

  test('takes along what is being made', async () => {
    const { lifelines, containers, removed } = world();
    const hold = new AbortController();
    lifelines.hold(ID, hold.signal);
    const making = Promise.withResolvers<void>();
    const made = lifelines.guard(ID, async () => {
      await making.promise;
      containers.set('late', ID);
    });
    hold.abort();
    await sleep(20);
    expect(removed).toEqual([]);
    making.resolve();
    await made;
    await eventually(() => removed.length === 1);
  });

  test('is missed while it was another one: what is held twice stays', async () => {
    const { lifelines, containers, removed } = world();
    const [first, second] = [new AbortController(), new AbortController()];
    lifelines.hold(ID, first.signal);
    lifelines.hold(ID, second.signal);
    containers.set('own', ID);
    first.abort();
    await sleep(20);
    expect(removed).toEqual([]);
    second.abort();
    await eventually(() => removed.length === 1);
  });

  test('tries again what could not be removed, and says so in the end', async () => {
    const patient = world({ failures: 2 });
    const hold = new AbortController();
    patient.lifelines.hold(ID, hold.signal);
    patient.containers.set('own', ID);
    hold.abort();
    await eventually(() => patient.removed.length === 1);
    expect(patient.errors).toEqual([]);
    const hopeless = world({ failures: 100 });
    hopeless.containers.set('own', ID);
    const other = new AbortController();
    hopeless.lifelines.hold(ID, other.signal);
    other.abort();
    await eventually(() => hopeless.errors.length === 1);
    expect(hopeless.errors).toEqual(['busy']);
  });

  test('means nothing once the daemon ends', async () => {
    const { lifelines, containers, removed } = world();
    const hold = new AbortController();
    lifelines.hold(ID, hold.signal);
    containers.set('own', ID);
    await lifelines.close();
    hold.abort();
    await sleep(30);
    expect(removed).toEqual([]);
  });
});

test('guard() refuses a lifeline that nobody holds, and lets pass what hangs on none', async () => {
  const { lifelines } = world();
  expect(await lifelines.guard(undefined, async () => 1)).toBe(1);
  const refused = lifelines.guard(ID, async () => 1);
  expect(await refused.catch((error: EngineError) => error.kind)).toBe('conflict');
  const gone = new AbortController();
  gone.abort();
  lifelines.hold(ID, gone.signal);
  expect(await lifelines.guard(ID, async () => 1).catch((error: EngineError) => error.kind)).toBe('conflict');
});

test('recover() removes after the grace what nobody came back for', async () => {
  const { lifelines, containers, volumes, removed } = world();
  containers.set('back', ID);
  containers.set('lost', 'b'.repeat(64));
  volumes.set('lost-volume', 'c'.repeat(64));
  await lifelines.recover();
  lifelines.hold(ID, new AbortController().signal);
  expect(removed).toEqual([]);
  await eventually(() => removed.length === 2);
  expect(removed.sort()).toEqual(['lost', 'lost-volume']);
});
