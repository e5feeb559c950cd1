import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../../test/support/failure-of.ts';
import { silentLogger } from '../../errors/logger.ts';
import { SqliteStateDb } from '../../storage/sqlite-state-db.ts';
import { LocalVolumes } from '../../volumes/local-volumes.ts';
import { volumeDetailColumns, volumeTables } from '../../volumes/volume-rows.ts';
import type { Volume } from '../../volumes/volumes.ts';
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
  db = await SqliteStateDb.open(':memory:', [
    { version: 1, name: 'volumes', statements: [...volumeTables, ...volumeDetailColumns] },
  ]);
  const volumes = new LocalVolumes({ root: join(directory, 'volumes'), db, logger: silentLogger });
  [used, free] = [await volumes.prepare({}), await volumes.prepare({})];
  writeFileSync(join(free.path, 'file'), Buffer.alloc(100_000));
  await db.transact(volumes.insertions([used, free]));
  events.length = 0;
  service = new VolumeService({
    volumes,
    scratch: join(directory, 'scratch'),
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
  await service.remove('../../..', { force: true });
});

test('prune takes what is wanted and unused, and tells what that freed', async () => {
  expect(await service.prune(() => false, live)).toEqual({ deleted: [], reclaimedBytes: 0 });
  const { deleted, reclaimedBytes } = await service.prune(() => true, live);
  expect([deleted, await names()]).toEqual([[free.name], [used.name]]);
  expect(reclaimedBytes).toBeGreaterThanOrEqual(100_000);
  expect(events).toEqual(['prune 0', 'destroy undefined', `prune ${reclaimedBytes}`]);
});

test('to make one that is there tells of it as it is, and what was removed can be made anew', async () => {
  const made = await service.create({ name: 'data', labels: { a: 'b' } });
  expect(await service.create({ name: 'data', labels: { c: 'd' }, options: {} })).toEqual(made);
  expect(made).toMatchObject({ name: 'data', labels: { a: 'b' }, anonymous: false, users: [] });
  expect((await service.create({})).anonymous).toBe(true);
  await service.remove('data', { force: false });
  expect(existsSync(made.path)).toBe(false);
  expect((await service.create({ name: 'data' })).labels).toBeUndefined();
  expect(events).toEqual(['create undefined', 'create undefined', 'destroy undefined', 'create undefined']);
});

test('many who make the same volume at once get the same one', async () => {
  const made = await Promise.all(Array.from({ length: 8 }, () => service.create({ name: 'data' })));
  expect(new Set(made.map(({ createdNano }) => createdNano)).size).toBe(1);
  expect(events).toEqual(['create undefined']);
});

test('a name that is taken is no place for an import or a copy, and a failed one leaves nothing', async () => {
  await service.create({ name: 'data' });
  const tar = () => new Blob(['no archive']).stream();
  expect(await failureOf(service.import({ name: 'data' }, tar(), live))).toMatchObject({
    kind: 'conflict',
    message: 'create data: a volume of that name is there already',
  });
  expect(await failureOf(service.clone('nosuch', { name: 'other' }, live))).toMatchObject({
    message: 'get nosuch: no such volume',
  });
  expect(await failureOf(service.clone('data', { name: 'a/b' }, live))).toMatchObject({ kind: 'invalid' });
  expect((await service.list()).length).toBe(3);
});

test('prune leaves what is mounted from elsewhere', async () => {
  await service.create({ name: 'share', options: { type: 'none', o: 'bind', device: '/nosuch' } });
  await service.prune(() => true, live);
  expect(await names()).toEqual([used.name, 'share'].sort());
});
