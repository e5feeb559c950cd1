import { afterAll, beforeAll, expect, test } from 'bun:test';
import { appendFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../sys/spawn.ts';
import { SqliteStateDb } from './sqlite-state-db.ts';

const directory = mkdtempSync(join(tmpdir(), 'sampan-full-'));
const path = join(directory, 'state.db');
const schema = [
  { version: 1, name: 'first', statements: ['CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT) STRICT'] },
];

beforeAll(async () => {
  await run(['mount', '-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', directory], { timeoutMs: 5000 });
});
afterAll(async () => {
  await run(['umount', directory], { timeoutMs: 5000 });
  rmSync(directory, { recursive: true });
});

function fillDisk(): void {
  for (let size = 1 << 20; size > 0; size >>= 1) {
    try {
      for (;;) appendFileSync(join(directory, 'fill'), Buffer.alloc(size));
    } catch {
      // No room for so much: half of it.
    }
  }
}

test('on a full disk nothing new is taken, but what is removed is removed', async () => {
  const db = await SqliteStateDb.open(path, schema);
  const insert = (key: number) => ({ sql: 'INSERT INTO t VALUES (?, ?)', params: [key, 'x'.repeat(20_000)] });
  for (const key of [1, 2, 3]) await db.transact([insert(key)]);
  fillDisk();
  const refused = await db.transact([insert(4)]).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(refused).toMatchObject({ code: 'no-space' });
  await db.transact([{ sql: 'DELETE FROM t WHERE k = ?', params: [2] }], { usesReserve: true });
  expect(await db.query('SELECT k FROM t')).toEqual([{ k: 1 }, { k: 3 }]);
  rmSync(join(directory, 'fill'));
  await db.transact([insert(4)]);
  await db.close();
  const again = await SqliteStateDb.open(path, schema);
  expect(existsSync(`${path}.reserve`)).toBe(true);
  await again.close();
});
