import { expect, test } from 'bun:test';
import type { ChainId, Digest } from '../../oci/digest.ts';
import { SqliteStateDb } from '../../storage/sqlite-state-db.ts';
import { imageMigrations } from './image-schema.ts';
import { LeaseStore } from './lease-store.ts';

const blob = (digit: string) => `sha256:${digit.repeat(64)}` as Digest;

test('of a daemon that was killed, pulls keep what they hold for a while, builds nothing', async () => {
  const db = await SqliteStateDb.open(':memory:', [
    { version: 1, name: 'images', statements: imageMigrations },
  ]);
  const before = await LeaseStore.open(db, 'boot', 1000);
  await before.take().add({ blobs: [blob('1')], chains: [] });
  await before
    .take({ resumable: false })
    .add({ blobs: [blob('2')], chains: [blob('3') as unknown as ChainId] });
  expect((await before.roots()).blobs).toEqual([blob('1'), blob('2')]);
  const after = await LeaseStore.open(db, 'boot', 60_000);
  expect(await after.roots()).toEqual({ blobs: [blob('1')], chains: [] });
  expect(after.holdsInterrupted).toBe(true);
  expect(await (await LeaseStore.open(db, 'next boot', 1000)).roots()).toEqual({ blobs: [], chains: [] });
});
