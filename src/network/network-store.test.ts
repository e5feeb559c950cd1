import { expect, test } from 'bun:test';
import type { StateDb } from '../storage/state-db.ts';
import { SqliteNetworkStore } from './network-store.ts';

function storeOf(record: string): SqliteNetworkStore {
  const db: Partial<StateDb> = { query: <T>() => Promise.resolve([{ id: 'a', record }] as T[]) };
  return new SqliteNetworkStore(db as StateDb);
}

test('a record of before there were configuration networks is one of an ordinary network', async () => {
  const [network] = await storeOf('{"id":"a","name":"n","driver":"bridge","createdNano":"5"}').load();
  expect(network).toMatchObject({
    name: 'n',
    createdNano: 5n,
    configOnly: false,
    configFrom: '',
    ipamDriver: 'default',
  });
});

test('a record that cannot be read is named, with the way out', async () => {
  const failure = await storeOf('{')
    .load()
    .catch((error: unknown) => error);
  expect(String(failure)).toContain('Cannot read the record of network a: ');
});
