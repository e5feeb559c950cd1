import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../test/support/failure-of.ts';
import { silentLogger } from '../errors/logger.ts';
import { SqliteStateDb } from '../storage/sqlite-state-db.ts';
import { LocalVolumes, volumeTables } from '../volumes/local-volumes.ts';
import type { Volume } from '../volumes/volumes.ts';
import { VolumeService } from './volume-service.ts';

let directory: string;
let db: SqliteStateDb;
let service: VolumeService;
let used: Volume;
let free: Volume;
const events: string[] = [];
const live = { signal: new AbortController().signal };
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-volumes-'));
  db = await SqliteStateDb.open(':memory:', [{ version: 1, name: 'volumes', statements: volumeTables }]);
  const volumes = new LocalVolumes({ root: join(directory, 'volumes'), db, logger: silentLogger });
  [used, free] = [await volumes.prepareAnonymous(), await volumes.prepareAnonymous()];
  writeFileSync(join(free.path, 'file'), Buffer.alloc(100_000));
  await db.transact(volumes.insertions([used, free]));
  events.length = 0;
  service = new VolumeService({
    volumes,
    usersOf: (name) => (name === used.name ? ['c1', 'c2'] : []),
    events: { publish: ({ action, attributes }) => void events.push(`${action} ${attributes['reclaimed']}`) },
  });
});
afterEach(async () => {
  await db.close();
  rmSync(directory, { recursive: true, force: true });
});

const names = async () => (await service.list()).map(({ name }) => name);

test('volumes are told with the containers that have them', async () => {
  expect(await service.list()).toEqual(
    [
      { ...used, users: ['c1', 'c2'] },
      { ...free, users: [] as string[] },
    ].sort((a, b) => (a.name < b.name ? -1 : 1)),
  );
  expect(await service.get(used.name)).toEqual({ ...used, users: ['c1', 'c2'] });
});

test('one in use stays, forced or not; one that nobody has goes with its folder', async () => {
  for (const force of [false, true])
    expect(await failureOf(service.remove(used.name, { force }))).toMatchObject({
      kind: 'conflict',
      message: `remove ${used.name}: volume is in use - [c1, c2]`,
    });
  await service.remove(free.name, { force: false });
  expect([await names(), existsSync(free.path), existsSync(used.path)]).toEqual([[used.name], false, true]);
  expect(events).toEqual(['destroy undefined']);
});

test('an absent one is an error, unless forced', async () => {
  expect(await failureOf(service.remove('nosuch', { force: false }))).toMatchObject({
    kind: 'not-found',
    message: 'get nosuch: no such volume',
  });
  await service.remove('nosuch', { force: true });
  await service.remove('../..', { force: true });
});

test('prune takes what is wanted and unused, and tells what that freed', async () => {
  expect(await service.prune(() => false, live)).toEqual({ deleted: [], reclaimedBytes: 0 });
  const { deleted, reclaimedBytes } = await service.prune(() => true, live);
  expect([deleted, await names()]).toEqual([[free.name], [used.name]]);
  expect(reclaimedBytes).toBeGreaterThanOrEqual(100_000);
  expect(events).toEqual(['prune 0', 'destroy undefined', `prune ${reclaimedBytes}`]);
});
