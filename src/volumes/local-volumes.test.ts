import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../test/support/failure-of.ts';
import { silentLogger } from '../errors/logger.ts';
import { SqliteStateDb } from '../storage/sqlite-state-db.ts';
import { LocalVolumes } from './local-volumes.ts';
import { volumeDetailColumns, volumeTables } from './volume-rows.ts';

const migrations = [
  { version: 1, name: 'volumes', statements: volumeTables },
  { version: 2, name: 'details', statements: volumeDetailColumns },
];
const nobody = new Map<string, string[]>();
let directory: string;
let db: SqliteStateDb;
let volumes: LocalVolumes;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-volumes-'));
  db = await SqliteStateDb.open(':memory:', migrations);
  volumes = new LocalVolumes({ root: join(directory, 'volumes'), db, logger: silentLogger });
});
afterEach(async () => {
  await db.close();
  rmSync(directory, { recursive: true, force: true });
});

test('a volume without a name is an empty folder where Docker has it', async () => {
  const { name, path, anonymous } = await volumes.prepare({});
  expect(name).toMatch(/^[0-9a-f]{64}$/);
  expect([anonymous, path]).toEqual([true, join(directory, 'volumes', name, '_data')]);
  const modeOf = (folder: string) => statSync(folder).mode & 0o777;
  expect([modeOf(path), modeOf(join(path, '..')), modeOf(join(path, '../..'))]).toEqual([
    0o755, 0o701, 0o701,
  ]);
  expect(readdirSync(path)).toEqual([]);
});

test('what a volume was made with comes back', async () => {
  const options = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' };
  const made = await volumes.prepare({ name: 'data', labels: { a: 'b' }, options, mode: 0o3750 });
  const plain = await volumes.prepare({ name: 'plain', options: {} });
  await volumes.insert([made, plain]);
  expect(await volumes.list()).toEqual([made, plain]);
  expect(await volumes.get('data')).toMatchObject({
    labels: { a: 'b' },
    options,
    mode: 0o3750,
    owner: undefined,
  });
  expect([plain.options, plain.labels]).toEqual([{}, undefined]);
  expect(statSync(made.path).mode & 0o7777).toBe(0o3750);
});

test('what has a row outlives a start of the daemon, the rest goes', async () => {
  const [kept, removed, unborn] = [
    await volumes.prepare({}),
    await volumes.prepare({ name: 'removed' }),
    await volumes.prepare({ name: 'unborn' }),
  ];
  writeFileSync(join(kept.path, 'file'), 'x');
  await db.transact(volumes.insertions([kept, removed]));
  await db.transact(volumes.removals([removed.name]));
  await volumes.recover(nobody);
  expect([kept, removed, unborn].map(({ path }) => existsSync(path))).toEqual([true, false, false]);
  expect(existsSync(join(kept.path, 'file'))).toBe(true);
  await volumes.discard([kept.name, 'absent']);
  expect(readdirSync(join(directory, 'volumes'))).toEqual([]);
});

test('a name that leads elsewhere is no name', async () => {
  mkdirSync(join(directory, 'precious'));
  for (const name of ['..', '../precious', '/etc', '', 'a/b', '.hidden', 'x'.repeat(256)])
    expect(() => volumes.path(name), name).toThrow('Invalid volume name');
});

test('recover() without a folder does nothing', async () => {
  await volumes.recover(nobody);
  expect(existsSync(join(directory, 'volumes'))).toBe(false);
});

// Recorded from Docker 28.5.
test.each([
  [
    'x',
    'invalid',
    {},
    'create x: volume name is too short, names should be at least two alphanumeric characters',
  ],
  [
    'a/b',
    'invalid',
    {},
    'create a/b: "a/b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
  ],
  [
    'data',
    'not-found',
    { driver: 'nosuch' },
    'create data: error looking up volume plugin nosuch: plugin "nosuch" not found',
  ],
  ['data', 'invalid', { options: { foo: 'bar' } }, 'create data: invalid option: "foo"'],
  ['data', 'invalid', { options: { type: 'tmpfs' } }, 'create data: missing required option: "device"'],
  ['data', 'invalid', { options: { device: 'tmpfs' } }, 'create data: missing required option: "type"'],
  ['data', 'invalid', { options: { o: 'bind' } }, 'create data: missing required option: "device"'],
  ['data', 'invalid', { options: { size: '10m' } }, 'create data: quota size requested but no quota support'],
  ['data', 'invalid', { options: { size: 'xx' } }, "create data: invalid size: 'xx'"],
  [
    'data',
    'invalid',
    { options: { type: 'cifs', device: '//h:22/x' } },
    "create data: port not allowed in CIFS device URL, include 'port' in 'o='",
  ],
])('prepare(%s) is refused as %s with %j', async (name, kind, wanted, message) => {
  expect(await failureOf(volumes.prepare({ name, ...wanted }))).toMatchObject({ kind, message });
  expect(existsSync(join(directory, 'volumes', 'data'))).toBe(false);
});

test('a size of nothing asks for nothing', async () => {
  expect((await volumes.prepare({ name: 'data', options: { size: '0' } })).options).toEqual({ size: '0' });
});
