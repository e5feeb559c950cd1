import { expect, test } from 'bun:test';
import { testHost } from '../testing/service-fixture.ts';
import { effectiveOptions } from './effective-options.ts';

// What Docker 28.5 shows of a container for which nothing of this was asked.
const v1 = { name: 'crun', cgroupVersion: '1' } as const;
const v2 = { name: 'runc', cgroupVersion: '2' } as const;

test('what was left open is what it becomes', () => {
  const options = effectiveOptions(testHost(), v1);
  expect(options).toMatchObject({
    cgroupnsMode: 'host',
    ipcMode: 'private',
    runtime: 'crun',
    securityOpt: [],
  });
  expect(options.restartPolicy.name).toBe('no');
  expect(options.maskedPaths).toHaveLength(12);
  expect(options.readonlyPaths).toEqual([
    '/proc/bus',
    '/proc/fs',
    '/proc/irq',
    '/proc/sys',
    '/proc/sysrq-trigger',
  ]);
  expect(effectiveOptions(testHost(), v2)).toMatchObject({ cgroupnsMode: 'private', runtime: 'runc' });
});

test('what was asked for stays', () => {
  const asked = testHost({
    cgroupnsMode: 'private',
    ipcMode: 'shareable',
    maskedPaths: [],
    readonlyPaths: ['/x'],
  });
  const { cgroupnsMode, ipcMode, maskedPaths, readonlyPaths } = effectiveOptions(asked, v1);
  expect([cgroupnsMode, ipcMode, maskedPaths, readonlyPaths]).toEqual(['private', 'shareable', [], ['/x']]);
});

test("privileged, or in the host's namespaces: nothing hidden, no label", () => {
  const privileged = effectiveOptions(
    testHost({ privileged: true, securityOpt: ['seccomp=unconfined'] }),
    v1,
  );
  expect(privileged).toMatchObject({ maskedPaths: undefined, readonlyPaths: undefined });
  expect(privileged.securityOpt).toEqual(['seccomp=unconfined', 'label=disable']);
  expect(effectiveOptions(testHost({ pidMode: 'host' }), v1).securityOpt).toEqual(['label=disable']);
  const twice = testHost({ ipcMode: 'host', securityOpt: ['label=disable'] });
  expect(effectiveOptions(twice, v1).securityOpt).toEqual(['label=disable']);
});

test('memory brings as much swap; no limit of processes is none', () => {
  const { resources } = testHost();
  const limited = { ...resources, memoryBytes: 64n << 20n, pidsLimit: -1 };
  expect(effectiveOptions(testHost({ resources: limited }), v1).resources).toMatchObject({
    memorySwapBytes: 128n << 20n,
    pidsLimit: 0,
  });
  const unlimited = { ...limited, memorySwapBytes: -1n };
  expect(effectiveOptions(testHost({ resources: unlimited }), v1).resources.memorySwapBytes).toBe(-1n);
});
