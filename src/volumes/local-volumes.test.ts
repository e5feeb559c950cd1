import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../errors/logger.ts';
import { SqliteStateDb } from '../storage/sqlite-state-db.ts';
import { LocalVolumes, volumeTables } from './local-volumes.ts';

let directory: string;
let db: SqliteStateDb;
let volumes: LocalVolumes;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-volumes-'));
  db = await SqliteStateDb.open(':memory:', [{ version: 1, name: 'volumes', statements: volumeTables }]);
  volumes = new LocalVolumes({ root: join(directory, 'volumes'), db, logger: silentLogger });
});
afterEach(async () => {
  await db.close();
  rmSync(directory, { recursive: true, force: true });
});

test('a volume without a name is an empty folder where Docker has it', async () => {
  const { name, path } = await volumes.prepareAnonymous();
  expect(name).toMatch(/^[0-9a-f]{64}$/);
  expect(path).toBe(join(directory, 'volumes', name, '_data'));
  const modeOf = (folder: string) => statSync(folder).mode & 0o777;
  expect([modeOf(path), modeOf(join(path, '..')), modeOf(join(path, '../..'))]).toEqual([
    0o755, 0o701, 0o701,
  ]);
  expect(readdirSync(path)).toEqual([]);
});

test('what has a row outlives a start of the daemon, the rest goes', async () => {
  const [kept, removed, unborn] = [
    await volumes.prepareAnonymous(),
    await volumes.prepareAnonymous(),
    await volumes.prepareAnonymous(),
  ];
  writeFileSync(join(kept.path, 'file'), 'x');
  await db.transact(volumes.insertions([kept, removed]));
  await db.transact(volumes.removals([removed.name]));
  await volumes.recover();
  expect([kept, removed, unborn].map(({ path }) => existsSync(path))).toEqual([true, false, false]);
  expect(existsSync(join(kept.path, 'file'))).toBe(true);
  await volumes.discard([kept.name, 'absent']);
  expect(readdirSync(join(directory, 'volumes'))).toEqual([]);
});

test('a name that leads elsewhere is no name', async () => {
  mkdirSync(join(directory, 'precious'));
  for (const name of ['..', '../precious', '/etc', '', 'a/b', '.hidden'])
    expect(() => volumes.path(name), name).toThrow('Invalid volume name');
});

test('recover() without a folder does nothing', async () => {
  await volumes.recover();
  expect(existsSync(join(directory, 'volumes'))).toBe(false);
});
