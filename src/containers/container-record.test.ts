import { expect, test } from 'bun:test';
import type { StateDb } from '../storage/state-db.ts';
import { type ContainerRecord, decodeRecord, encodeRecord } from './container-record.ts';
import { ContainerStore } from './container-store.ts';
import { testConfig, testHost } from './testing/service-fixture.ts';

const record = {
  id: 'c',
  createdNano: 1_700_000_000_123_456_789n,
  startedAtNano: 0n,
  finishedAtNano: 0n,
  config: testConfig('true'),
  host: testHost({ isolation: 'default', emptyLists: ['Dns'] }),
  volumes: [{ name: 'v', destination: '/data' }],
  restartDue: true,
  networkFilesOf: 'd',
} as unknown as ContainerRecord;

test('a record comes back as it was', () => {
  expect(decodeRecord(encodeRecord(record))).toEqual(record);
});

test('what an earlier version did not write is what it meant', () => {
  const { volumes: _volumes, restartDue: _due, networkFilesOf: _files, host, ...rest } = record;
  const { isolation: _isolation, emptyLists: _lists, resources, ...oldHost } = host;
  const { memorySwappiness: _swappiness, ...oldResources } = resources;
  const old = { ...rest, host: { ...oldHost, resources: oldResources } } as unknown as ContainerRecord;
  const read = decodeRecord(encodeRecord(old));
  expect([read.volumes, read.host.isolation, read.host.emptyLists]).toEqual([[], '', []]);
  expect(read.restartDue).toBe(false);
  expect(read.host.resources.memorySwappiness).toBe(-1);
});

test('a record that cannot be read is named, and nothing goes on without it', async () => {
  for (const text of ['{"id":', '{}', 'null']) {
    const db = { query: async () => [{ id: 'abc', record: text }] } as unknown as StateDb;
    expect(await new ContainerStore(db).load().catch(String), text).toContain(
      'Cannot read the record of container abc',
    );
  }
});
