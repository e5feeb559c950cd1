import { expect, test } from 'bun:test';
import { SqliteStateDb } from '../../storage/sqlite-state-db.ts';
import { testConfig, testHost } from '../testing/service-fixture.ts';
import type { ContainerRecord } from './container-record.ts';
import { ContainerStore, containerTables } from './container-store.ts';

test('markStopped() says so of one record and leaves the rest of it as it was, a new name too', async () => {
  const db = await SqliteStateDb.open(':memory:', [
    { version: 1, name: 'containers', statements: containerTables },
  ]);
  try {
    const store = new ContainerStore(db);
    const config = testConfig('true', { labels: { 'a"b': "it's \u{1F980}" } });
    const times = { createdNano: 1_700_000_000_123_456_789n, startedAtNano: 0n, finishedAtNano: 0n };
    const one = {
      id: '1',
      name: 'one',
      config,
      host: testHost(),
      ...times,
      mounts: [],
      stoppedByUser: false,
    };
    await store.insert(one as unknown as ContainerRecord);
    await store.insert({ ...one, id: '2', name: 'two' } as unknown as ContainerRecord);
    const [before, other] = await store.load();
    await Promise.all([
      store.update({ ...one, name: 'renamed' } as unknown as ContainerRecord),
      store.markStopped('1'),
    ]);
    expect(await store.load()).toEqual([
      { ...before, name: 'renamed', stoppedByUser: true },
      other,
    ] as ContainerRecord[]);
  } finally {
    await db.close();
  }
});
