import { expect, test } from 'bun:test';
import type { StateDb } from '../../storage/state-db.ts';
import { membershipOf } from '../networking/container-networks.ts';
import { testConfig, testHost } from '../testing/service-fixture.ts';
import { type ContainerRecord, decodeRecord, encodeRecord } from './container-record.ts';
import { ContainerStore } from './container-store.ts';

const record = {
  id: 'c',
  createdNano: 1_700_000_000_123_456_789n,
  startedAtNano: 0n,
  finishedAtNano: 0n,
  config: testConfig('true'),
  host: testHost({ isolation: 'default', emptyLists: ['Dns'] }),
  restartDue: true,
  networkFilesOf: 'd',
  networks: [{ ...membershipOf('n'), aliases: ['web'] }],
  links: [{ id: 'd', alias: 'db' }],
  mounts: [
    {
      type: 'volume',
      name: 'v',
      destination: '/data',
      readWrite: true,
      mode: '',
      anonymous: true,
      device: false,
      subpath: '',
    },
  ],
} as unknown as ContainerRecord;

test('a record comes back as it was', () => {
  expect(decodeRecord(encodeRecord(record))).toEqual(record);
});

test('what an earlier version did not write is what it meant', () => {
  const { mounts, restartDue: _due, networkFilesOf: _files, host, ...rest } = record;
  const { isolation: _isolation, emptyLists: _lists, resources, ...withMounts } = host;
  const { storageOpt: _storage, sizeLimitBytes: _limit, ...unbounded } = withMounts;
  const { mounts: _mounts, volumesFrom: _from, volumeDriver: _driver, ...oldHost } = unbounded;
  const { memorySwappiness: _swappiness, ...oldResources } = resources;
  const decode = (change: object) => {
    const old = {
      ...rest,
      host: { ...oldHost, binds: ['/a:/b:ro,rslave'], resources: oldResources },
      ...change,
    };
    return decodeRecord(encodeRecord(old as unknown as ContainerRecord));
  };
  const read = decode({});
  expect([read.host.storageOpt as unknown, read.host.sizeLimitBytes]).toEqual([{}, 0]);
  const bind = {
    type: 'bind',
    source: '/a',
    destination: '/b',
    readWrite: false,
    mode: 'ro,rslave',
    propagation: 'rslave',
    createSource: true,
    nonRecursive: false,
    readOnlyBelow: 'try',
  };
  expect([read.mounts as unknown, read.host.isolation, read.host.emptyLists]).toEqual([[bind], '', []]);
  expect([read.host.mounts, read.host.volumesFrom, read.host.volumeDriver]).toEqual([[], [], '']);
  expect([read.restartDue, read.networkFilesOf]).toEqual([false, '']);
  const volumes = [{ name: 'v', destination: '/data' }];
  expect(decode({ volumes }).mounts as unknown).toEqual([...mounts, bind]);
  expect(decode({ volumes })).not.toHaveProperty('volumes');
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
