import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../../test/support/failure-of.ts';
import { silentLogger } from '../../errors/logger.ts';
import type { ChainId } from '../../oci/digest.ts';
import { SqliteStateDb } from '../../storage/sqlite-state-db.ts';
import { buildCacheTables } from '../solver/cache-schema.ts';
import { CacheStore } from '../solver/cache-store.ts';
import { type AskedCache, CacheMounts, type ChainMounter, type HeldCaches } from './cache-mounts.ts';

const never = new AbortController().signal;
let root: string;
let db: SqliteStateDb;
let store: CacheStore;
let withChain: ChainMounter;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'cache-mounts-'));
  db = await SqliteStateDb.open(join(root, 'state.db'), [
    { version: 1, name: 'build cache', statements: buildCacheTables },
  ]);
  store = await CacheStore.open(db);
  withChain = async () => undefined;
});
afterEach(async () => {
  await store.close();
  await db.close();
  rmSync(root, { recursive: true, force: true });
});

async function openMounts(): Promise<CacheMounts> {
  const mounts = new CacheMounts({
    directory: join(root, 'mounts'),
    store,
    withChain: (chain, use, signal) => withChain(chain, use, signal),
    logger: silentLogger,
  });
  await mounts.recover();
  return mounts;
}

function asked(id: string, sharing: AskedCache['mount']['sharing'], seed?: string): AskedCache {
  return {
    mount: {
      type: 'cache',
      id,
      sharing,
      target: `/${id}`,
      source: '/',
      tree: { kind: 'step', step: undefined },
      readOnly: false,
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
      mode: 0o755,
    },
    seed: seed as ChainId | undefined,
    command: 'true',
    imported: undefined,
  };
}

/** Whether it has come by now, everything that needs no other having had its time. */
async function hasCome(waiting: Promise<HeldCaches>): Promise<boolean> {
  let come = false;
  void waiting.then(
    () => (come = true),
    () => undefined,
  );
  await db.query('SELECT 1');
  await new Promise((resolve) => setImmediate(resolve));
  return come;
}

describe('acquire()', () => {
  test('who gives up waiting for a lock lets nobody in beside its owner', async () => {
    const mounts = await openMounts();
    const owner = await mounts.acquire([asked('a', 'locked')], never);
    const impatient = new AbortController();
    const gaveUp = mounts.acquire([asked('a', 'locked')], impatient.signal);
    expect(await hasCome(gaveUp)).toBe(false);
    impatient.abort(new Error('enough'));
    expect(await failureOf(gaveUp)).toHaveProperty('message', 'enough');
    const next = mounts.acquire([asked('a', 'locked')], never);
    expect(await hasCome(next)).toBe(false);
    await owner.release();
    await (await next).release();
  });

  test('private caches of builds that ask at once are two', async () => {
    const mounts = await openMounts();
    const [one, two] = await Promise.all([
      mounts.acquire([asked('a', 'private')], never),
      mounts.acquire([asked('a', 'private')], never),
    ]);
    expect(one.directories).not.toEqual(two.directories);
    await Promise.all([one.release(), two.release()]);
    const again = await Promise.all([
      mounts.acquire([asked('a', 'private')], never),
      mounts.acquire([asked('a', 'private')], never),
    ]);
    expect(new Set(again.flatMap(({ directories }) => directories)).size).toBe(2);
    for (const held of again) await held.release();
  });

  test('mounts of one step that name the same cache share its folder and its lock', async () => {
    const mounts = await openMounts();
    const held = await mounts.acquire(
      [asked('a', 'locked'), asked('b', 'shared'), asked('a', 'locked'), asked('b', 'locked')],
      never,
    );
    const [first, second, third, fourth] = held.directories;
    expect([third, fourth]).toEqual([first, second]);
    expect(first).not.toBe(second);
    const next = mounts.acquire([asked('b', 'locked')], never);
    expect(await hasCome(next)).toBe(false);
    await held.release();
    await (await next).release();
  });

  test('steps that lock the same caches in another order do not wait for each other', async () => {
    const mounts = await openMounts();
    const [ab, ba] = [
      [asked('a', 'locked'), asked('b', 'locked')],
      [asked('b', 'locked'), asked('a', 'locked')],
    ];
    const use = async (wanted: AskedCache[]): Promise<void> => {
      await (await mounts.acquire(wanted, never)).release();
    };
    await Promise.all([use(ab), use(ba), use(ab), use(ba)]);
    expect(store.records().map(({ id }) => store.inUse(id))).toEqual([false, false]);
  });

  test('a build that leaves while it fills a cache takes no other with it', async () => {
    const mounts = await openMounts();
    const [began, leaving] = [Promise.withResolvers<void>(), new AbortController()];
    withChain = async (_, __, signal) => {
      began.resolve();
      if (signal !== leaving.signal) return;
      await new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
      );
    };
    const first = mounts.acquire([asked('a', 'shared', 'chain')], leaving.signal);
    await began.promise;
    const second = mounts.acquire([asked('a', 'shared', 'chain')], never);
    leaving.abort(new Error('left'));
    expect(await failureOf(first)).toHaveProperty('message', 'left');
    await (await second).release();
  });

  test('what one has locked is nobody else’s: shared and private mounts get folders of their own', async () => {
    const mounts = await openMounts();
    const locked = await mounts.acquire([asked('a', 'locked')], never);
    const shared = await mounts.acquire([asked('a', 'shared')], never);
    const joined = await mounts.acquire([asked('a', 'shared')], never);
    const alone = await mounts.acquire([asked('a', 'private')], never);
    expect(joined.directories).toEqual(shared.directories);
    const all = [locked, shared, alone].flatMap(({ directories }) => directories);
    expect(new Set(all).size).toBe(3);
    for (const held of [locked, shared, joined, alone]) await held.release();
    // And none is made where one is free.
    const again = await mounts.acquire([asked('a', 'private')], never);
    expect(all).toContain(again.directories[0] ?? '');
    await again.release();
    expect(store.records()).toHaveLength(3);
  });

  test('what one has privately is not joined', async () => {
    const mounts = await openMounts();
    const alone = await mounts.acquire([asked('a', 'private')], never);
    const shared = await mounts.acquire([asked('a', 'shared')], never);
    expect(shared.directories).not.toEqual(alone.directories);
    await alone.release();
    await shared.release();
  });

  test('a lock waits until the last of those who share has left', async () => {
    const mounts = await openMounts();
    const shared = [
      await mounts.acquire([asked('a', 'shared')], never),
      await mounts.acquire([asked('a', 'shared')], never),
    ];
    const locked = mounts.acquire([asked('a', 'locked')], never);
    expect(await hasCome(locked)).toBe(false);
    await shared[0]?.release();
    expect(await hasCome(locked)).toBe(false);
    const last = shared[1]?.release();
    const held = await locked;
    await last;
    expect(held.directories).toEqual(shared[0]?.directories ?? []);
    await held.release();
  });

  test('a lock waits for no more than one folder to be free', async () => {
    const mounts = await openMounts();
    const [one, two] = [
      await mounts.acquire([asked('a', 'private')], never),
      await mounts.acquire([asked('a', 'private')], never),
    ];
    const locked = mounts.acquire([asked('a', 'locked')], never);
    expect(await hasCome(locked)).toBe(false);
    await two.release();
    expect((await locked).directories).toEqual(two.directories);
    await one.release();
    await (await locked).release();
  });

  test('a cache that is being pruned is not handed out', async () => {
    const mounts = await openMounts();
    await (await mounts.acquire([asked('a', 'shared')], never)).release();
    const gone = store.records();
    const removing = store.remove(gone);
    const held = mounts.acquire([asked('a', 'shared')], never);
    await removing;
    await mounts.remove(gone);
    const caches = await held;
    expect(readdirSync(caches.directories[0] ?? '')).toEqual([]);
    await caches.release();
  });
});

test('recover() removes records whose folder is not there, and folders without a record', async () => {
  const mounts = await openMounts();
  const held = await mounts.acquire([asked('a', 'shared'), asked('b', 'shared')], never);
  await held.release();
  rmSync(held.directories[0] ?? '', { recursive: true });
  const kept = held.directories[1] ?? '';
  await openMounts();
  expect(store.records().map(({ id }) => mounts.path(id))).toEqual([kept]);
  const again = await mounts.acquire([asked('a', 'shared')], never);
  expect(readdirSync(again.directories[0] ?? '')).toEqual([]);
  await again.release();
});

describe('sizes', () => {
  const KIB = 1024;
  const fill = async (mounts: CacheMounts): Promise<HeldCaches> => {
    const held = await mounts.acquire([asked('a', 'shared')], never);
    writeFileSync(join(held.directories[0] ?? '', 'big'), new Uint8Array(300 * KIB));
    return held;
  };

  test('a daemon that was killed while a build wrote leaves none that is wrong', async () => {
    await fill(await openMounts());
    expect(store.records().map(({ sizeBytes }) => sizeBytes)).toEqual([0]);
    await store.close();
    store = await CacheStore.open(db);
    const next = await openMounts();
    await next.measured;
    expect(store.records()[0]?.sizeBytes).toBeGreaterThanOrEqual(300 * KIB);
  });

  test('after an end in order nothing is measured again', async () => {
    const mounts = await openMounts();
    const held = await fill(mounts);
    await held.release();
    await store.close();
    await mounts.close();
    writeFileSync(join(held.directories[0] ?? '', 'more'), new Uint8Array(900 * KIB));
    store = await CacheStore.open(db);
    const next = await openMounts();
    await next.measured;
    expect(store.records()[0]?.sizeBytes).toBeLessThan(600 * KIB);
    // Whether this one is killed isn't known yet.
    const after = await openMounts();
    await after.measured;
    expect(store.records()[0]?.sizeBytes).toBeGreaterThan(900 * KIB);
  });
});
