import { expect, test } from 'bun:test';
import { blockHost } from '../../runtime/spec/block-limits.ts';
import { type ResourceHost, updatedResources } from '../../runtime/spec/resources.ts';
import type { HostOptions } from '../container.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import type { TaskNote } from '../tasks/task-notes.ts';
import { ServiceBench } from '../testing/service-bench.ts';
import { testHost } from '../testing/service-fixture.ts';
import { type ContainerChange, changedRecord, checkChange } from './container-update.ts';

const bench = new ServiceBench();
const v1: ResourceHost = {
  cgroupVersion: '1',
  swapLimit: true,
  blkioWeight: false,
  block: blockHost('1'),
};
const M = 1n << 20n;

function change(resources: Partial<ContainerChange['resources']>, restart?: HostOptions['restartPolicy']) {
  const { memorySwappiness: _fixed, ...none } = testHost().resources;
  return { resources: { ...none, pidsLimit: undefined, ...resources }, restartPolicy: restart };
}

function record(resources: Partial<HostOptions['resources']>, host: Partial<HostOptions> = {}) {
  const plain = testHost(host);
  return { id: 'c', host: { ...plain, resources: { ...plain.resources, ...resources } } } as ContainerRecord;
}

test('what is not named stays; a number of processes may be none again', () => {
  const set = record({ memoryBytes: 64n * M, memorySwapBytes: 128n * M, cpuShares: 5, pidsLimit: 9 });
  const after = changedRecord(set, change({ cpusetCpus: '0', pidsLimit: -1 })).host.resources;
  expect(after).toEqual({ ...set.host.resources, cpusetCpus: '0', pidsLimit: -1 });
  expect(changedRecord(set, change({ memoryBytes: 100n * M })).host.resources.memorySwapBytes).toBe(128n * M);
});

test.each([
  [{}, { memoryBytes: 100n * M }, 'Memory limit should be smaller than already set memoryswap limit'],
  [{ memorySwapBytes: -1n }, { memoryBytes: 100n * M }, 'Memory limit should be smaller than already set'],
  [{ cpuPeriodUs: 5000 }, { nanoCpus: 5n }, 'Nano CPUs cannot be updated as CPU Period has already been set'],
  [{ cpuQuotaUs: 5000 }, { nanoCpus: 5n }, 'Nano CPUs cannot be updated as CPU Quota has already been set'],
  [{ nanoCpus: 5n }, { cpuPeriodUs: 5000 }, 'CPU Period cannot be updated as NanoCPUs has already been set'],
  [{ nanoCpus: 5n }, { cpuQuotaUs: 5000 }, 'CPU Quota cannot be updated as NanoCPUs has already been set'],
])('%p refuses %p', (set, asked, text) => {
  expect(() => changedRecord(record(set), change(asked))).toThrow(text);
});

test('a restart policy, but for what removes itself', () => {
  const always = { name: 'always', maximumRetryCount: 0 } as const;
  expect(changedRecord(record({}), change({}, always)).host.restartPolicy).toEqual(always);
  expect(() => changedRecord(record({}, { autoRemove: true }), change({}, always))).toThrow(
    'Restart policy cannot be updated because AutoRemove is enabled for the container',
  );
  const no = { name: 'no', maximumRetryCount: 0 } as const;
  expect(changedRecord(record({}, { autoRemove: true }), change({}, no)).host.restartPolicy).toEqual(no);
});

test('what the host cannot do is told and left out', () => {
  const { change: possible, warnings } = checkChange(change({ blkioWeight: 300 }), v1);
  expect(possible.resources.blkioWeight).toBe(0);
  expect(warnings).toEqual([
    'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.',
  ]);
});

test('the runtime gets the groups that are touched, whole: quota with its period, memory with its swap', () => {
  const all = { ...testHost().resources, memoryBytes: 64n * M, memorySwapBytes: 128n * M, cpuShares: 5 };
  const { resources } = updatedResources(change({ memorySwapBytes: 128n * M }).resources, all, v1);
  expect(resources).toEqual({ memory: { limit: 64 << 20, swap: 128 << 20 } });
  const unlimited = updatedResources(
    change({ memorySwapBytes: -1n, pidsLimit: 0 }).resources,
    { ...all, memorySwapBytes: -1n },
    v1,
  );
  expect(unlimited.resources).toEqual({ memory: { limit: 64 << 20, swap: -1 }, pids: { limit: -1 } });
});

test('one that runs is changed at once, one that does not at its next start', async () => {
  await bench.create('box', 'sleep');
  const { service, runtime, events } = bench.daemon;
  const id = (await service.inspect('box')).id;
  await service.update('box', change({ pidsLimit: 5 }));
  expect(runtime.calls.filter((call) => call.startsWith('update'))).toEqual([]);
  await service.start('box');
  await service.update('box', change({ pidsLimit: 7 }));
  expect(runtime.calls.filter((call) => call.startsWith('update'))).toEqual([
    `update {"pids":{"limit":7}} ${id}`,
  ]);
  expect(events.filter((event) => event === 'update').length).toBe(2);
  bench.machine.db.failing = true;
  expect(service.update('box', change({ pidsLimit: 9 }))).rejects.toThrow(`Cannot update container ${id}: `);
  await bench.stateOf('box');
  bench.machine.db.failing = false;
  expect((await service.inspect('box')).host.resources.pidsLimit).toBe(7);
});

test('the next daemon brings to its limits what a daemon died amid updating, and once', async () => {
  const id = await bench.create('box', 'sleep');
  const { service, runtime, notes } = bench.daemon;
  await service.start('box');
  let amid: TaskNote | undefined;
  runtime.update = async () => {
    amid = (await notes.load()).get(id);
  };
  await service.update('box', change({ pidsLimit: 7 }));
  expect((await notes.load()).get(id)?.updating).toBeUndefined();
  await service.close();
  if (amid !== undefined) notes.write(id, amid);
  await bench.reboot();
  const updates = () => bench.daemon.runtime.calls.filter((call) => call.startsWith('update'));
  expect(updates()).toEqual([`update {"pids":{"limit":7}} ${id}`]);
  await bench.daemon.service.close();
  await bench.reboot();
  expect(updates()).toEqual([]);
});

test('swap without a memory limit is refused before it keeps the container from its next start', () => {
  const { change: possible } = checkChange(change({ memorySwapBytes: 20n * 1024n * 1024n }), v1);
  expect(() => changedRecord(record({}), possible)).toThrow(
    'You should always set the Memory limit when using Memoryswap limit',
  );
});
