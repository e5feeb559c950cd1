import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../errors/logger.ts';
import type { GcRoots } from '../../images/store/lease-store.ts';
import type { ChainId, DiffId, Digest } from '../../oci/digest.ts';
import { SqliteStateDb } from '../../storage/sqlite-state-db.ts';
import type { BuildCachePrune } from '../builder.ts';
import { type AskedCache, CacheMounts } from '../execute/cache-mounts.ts';
import { KeptSources, type SourceFolder } from '../kept-sources.ts';
import { buildCacheTables } from './cache-schema.ts';
import { NO_SPACE_GIVEN } from './cache-space.ts';
import { CacheStore } from './cache-store.ts';
import { type CacheCollection, CachePruner } from './prune-cache.ts';

const { signal } = new AbortController();
const MIB = 1 << 20;
const all: BuildCachePrune = { all: true, ...NO_SPACE_GIVEN };

let root: string;
let db: SqliteStateDb;
let store: CacheStore;
let mounts: CacheMounts;
let folders: SourceFolder[];
let removing: () => Promise<void>;
let images: Set<ChainId>;
let collected: GcRoots[];
let freeBytes: number;
let collection: CacheCollection;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'prune-cache-'));
  const migrations = [{ version: 1, name: 'build cache', statements: buildCacheTables }];
  db = await SqliteStateDb.open(join(root, 'state.db'), migrations);
  store = await CacheStore.open(db);
  const directory = join(root, 'mounts');
  mounts = new CacheMounts({ directory, store, withChain: async () => undefined, logger: silentLogger });
  await mounts.recover();
  folders = [];
  removing = async () => undefined;
  images = new Set();
  collected = [];
  freeBytes = 100 * MIB;
  collection = { enabled: true, space: NO_SPACE_GIVEN, policies: [] };
});
afterEach(async () => {
  await store.close();
  await db.close();
  rmSync(root, { recursive: true, force: true });
});

function pruner(): CachePruner {
  const sources = new KeptSources(silentLogger);
  sources.serve({
    list: async () => folders,
    remove: async (id) => {
      await removing();
      folders = folders.filter((one) => one.id !== id);
    },
  });
  return new CachePruner({
    solver: { store, mounts },
    collection,
    sources,
    disk: async () => ({ totalBytes: 1000 * MIB, freeBytes }),
    imageChains: () => images,
    collect: async (roots) => {
      collected.push(roots);
      return 0;
    },
  });
}

async function layer(id: string, parent?: string): Promise<void> {
  const chainId = id as ChainId;
  const descriptor = { mediaType: 'x', digest: id as Digest, size: MIB };
  await store.add({
    key: id,
    kind: 'regular',
    parent: parent as ChainId | undefined,
    layer: { chainId, diffId: id as DiffId, descriptor, tarSize: MIB, createdNano: 1n },
    sizeBytes: MIB,
    description: id,
  });
}

function context(): void {
  const directory = join(root, 'state.db');
  const [createdMs, lastUsedMs] = [1, 1];
  const about = { kind: 'source.local', description: 'local source for context' } as const;
  folders = [{ id: 'sent', directory, createdMs, lastUsedMs, inUse: false, ...about }];
}

const mount: AskedCache = {
  mount: {
    type: 'cache',
    id: 'a',
    sharing: 'shared',
    target: '/a',
    source: '/',
    tree: { kind: 'step', step: undefined },
    readOnly: false,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    mode: 0o755,
  },
  seed: undefined,
  command: 'true',
  imported: undefined,
};

const left = (): string[] => store.records().map(({ description }) => description);

describe('a build that comes while a prune is under way', () => {
  test('has a cache mount that stays', async () => {
    await (await mounts.acquire([mount], signal)).release();
    context();
    const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    removing = async () => {
      reached.resolve();
      await go.promise;
    };
    const pruning = pruner().prune(all, { signal });
    await reached.promise;
    const held = await mounts.acquire([mount], signal);
    const file = join(held.directories[0] ?? '', 'made');
    writeFileSync(file, 'made');
    go.resolve();
    await pruning;
    expect(existsSync(file)).toBe(true);
    expect(store.records().map(({ id }) => mounts.path(id))).toEqual([...held.directories]);
    await held.release();
  });

  test('keeps what it took before the plan was made', async () => {
    await (await mounts.acquire([mount], signal)).release();
    const [listed, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let times = 0;
    const own = pruner();
    const serving = Object.defineProperty(mounts, 'measured', {
      get: () => {
        // The first is for what the prune tells of the records that go.
        if (++times === 2) listed.resolve();
        return times === 2 ? go.promise : Promise.resolve();
      },
    });
    const pruning = own.prune(all, { signal });
    await listed.promise;
    const held = await serving.acquire([mount], signal);
    go.resolve();
    expect((await pruning).deleted).toEqual([]);
    expect(existsSync(held.directories[0] ?? '')).toBe(true);
    await held.release();
  });
});

describe('what images have', () => {
  beforeEach(async () => {
    await layer('base');
    await layer('used', 'base');
    await layer('other', 'base');
    images = new Set(['base', 'used'] as ChainId[]);
  });

  test('is told, and can be filtered by', async () => {
    const shared = async (filters: string[]): Promise<string[]> =>
      (await pruner().list({ filters })).map((record) => `${record.description} ${record.shared}`).sort();
    expect(await shared([])).toEqual(['base true', 'other false', 'used true']);
    expect(await shared(['shared'])).toEqual(['base true', 'used true']);
    expect(await shared(['private'])).toEqual(['other false']);
  });

  test('stays unless all is asked for', async () => {
    await pruner().prune({ ...all, all: false }, { signal });
    expect(left().sort()).toEqual(['base', 'used']);
    await pruner().prune(all, { signal });
    expect(left()).toEqual([]);
    expect(collected.flatMap(({ chains }) => chains).sort()).toEqual(['base', 'other', 'used'] as ChainId[]);
  });

  test('counts for no limit', async () => {
    await pruner().prune({ ...all, all: false, maxUsedBytes: MIB }, { signal });
    expect(left().sort()).toEqual(['base', 'other', 'used']);
  });
});

describe('limits', () => {
  beforeEach(async () => {
    for (const id of ['one', 'two', 'three']) await layer(id);
  });

  test('enough that is free lets all stay; what is missing goes, the longest unused first', async () => {
    await pruner().prune({ ...all, minFreeBytes: MIB }, { signal });
    expect(left()).toEqual(['one', 'two', 'three']);
    await pruner().prune({ ...all, minFreeBytes: freeBytes + 2 * MIB }, { signal });
    expect(left()).toEqual(['three']);
  });

  test('after builds every rule is kept to in its order', async () => {
    const rule = { all: false, ...NO_SPACE_GIVEN };
    collection = {
      ...collection,
      policies: [
        { ...rule, filters: ['description==two'] },
        { ...rule, maxUsedBytes: MIB },
      ],
    };
    await pruner().keepLimits();
    expect(left()).toEqual(['three']);
  });

  test('switched off nothing goes', async () => {
    const policies = [{ ...all }];
    collection = { ...collection, enabled: false, policies };
    await pruner().keepLimits();
    expect(left()).toHaveLength(3);
    expect(await pruner().policies()).toEqual([]);
  });
});
