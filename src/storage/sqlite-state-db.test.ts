import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineError } from '../errors/engine-error.ts';
import { SqliteStateDb } from './sqlite-state-db.ts';
import type { Migration } from './state-db.ts';

const first: Migration = {
  version: 1,
  name: 'first',
  statements: ['CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER) STRICT'],
};
const second: Migration = { version: 2, name: 'second', statements: ['ALTER TABLE t ADD COLUMN w TEXT'] };
/** `expect(…).rejects` stops the event loop in Bun and never sees a worker's answer. */
const rejection = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
let directory = '';
let path = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-db-'));
  path = join(directory, 'state.db');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('transact() is all or nothing', async () => {
  const db = await SqliteStateDb.open(path, [first]);
  const insert = "INSERT INTO t VALUES ('a', 1)";
  expect(await rejection(db.transact([{ sql: insert }, { sql: insert }]))).toMatchObject({
    kind: 'conflict',
  });
  expect(await db.query('SELECT * FROM t')).toEqual([]);
  await db.close();
});

test('a database in memory leaves no file', async () => {
  const db = await SqliteStateDb.open(':memory:', [first]);
  await db.transact([{ sql: "INSERT INTO t VALUES ('a', 1)" }]);
  expect(await db.query('SELECT k FROM t')).toEqual([{ k: 'a' }]);
  await db.close();
  expect(readdirSync('.').filter((name) => name.startsWith(':memory:'))).toEqual([]);
});

test('a failing transaction does not take its neighbours with it', async () => {
  const db = await SqliteStateDb.open(path, [first]);
  const results = await Promise.allSettled([
    db.transact([{ sql: "INSERT INTO t VALUES ('a', 1)" }]),
    db.transact([{ sql: 'INSERT INTO nosuch VALUES (1)' }]),
    db.transact([{ sql: "INSERT INTO t VALUES ('b', 2)" }]),
  ]);
  expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(await db.query('SELECT k FROM t ORDER BY k')).toEqual([{ k: 'a' }, { k: 'b' }]);
  await db.close();
});

test('integers past 2^53 stay exact, smaller ones are numbers', async () => {
  const db = await SqliteStateDb.open(path, [first]);
  await db.transact([
    { sql: 'INSERT INTO t VALUES (?, ?), (?, ?)', params: ['big', 9007199254740993n, 'small', 7] },
  ]);
  expect(await db.query('SELECT v FROM t ORDER BY k')).toEqual([{ v: 9007199254740993n }, { v: 7 }]);
  await db.close();
});

test('a later engine migrates, after a backup; an earlier one refuses by name', async () => {
  const old = await SqliteStateDb.open(path, [first]);
  await old.transact([{ sql: "INSERT INTO t VALUES ('a', 1)" }]);
  await old.close();
  const migrated = await SqliteStateDb.open(path, [first, second]);
  expect(await migrated.query('SELECT k, w FROM t')).toEqual([{ k: 'a', w: null }]);
  await migrated.close();
  expect(existsSync(`${path}.v1.bak`)).toBe(true);
  const refused = await rejection(SqliteStateDb.open(path, [first]));
  expect(refused).toBeInstanceOf(EngineError);
  expect(refused).toMatchObject({ code: 'schema-newer' });
});

test('after close() every call is refused', async () => {
  const db = await SqliteStateDb.open(path, [first]);
  await db.close();
  expect(await rejection(db.query('SELECT 1'))).toMatchObject({ kind: 'unavailable' });
});

test.each(['a new database', 'one that others could read'])(
  "%s is its owner's alone, with its journals",
  async (what) => {
    if (what !== 'a new database') writeFileSync(path, '', { mode: 0o644 });
    const db = await SqliteStateDb.open(path, [first]);
    await db.transact([{ sql: "INSERT INTO t VALUES ('a', 1)" }]);
    const names = readdirSync(directory);
    const open = names.filter((name) => (statSync(join(directory, name)).mode & 0o077) !== 0);
    await db.close();
    expect(open).toEqual([]);
    expect(names.length).toBeGreaterThan(1);
  },
);

test('a file that is no database is named', async () => {
  writeFileSync(path, 'x'.repeat(8192));
  expect(await rejection(SqliteStateDb.open(path, [first]))).toMatchObject({
    kind: 'internal',
    message: expect.stringContaining(`Cannot open ${JSON.stringify(path)}: `),
  });
});
