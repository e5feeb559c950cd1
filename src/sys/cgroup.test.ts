import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cgroupFolder, cgroupWarnings, readCgroupFacts, readCgroupHost } from './cgroup.ts';

let base = '';
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sampan-cgroup-'));
});
afterEach(() => rmSync(base, { recursive: true }));

const v1 = (directory: string, options: string) =>
  `30 25 0:27 / ${base}/${directory} rw,nosuid shared:9 - cgroup cgroup rw,${options}`;
const v2 = (directory: string) =>
  `26 25 0:23 / ${base}/${directory} rw shared:4 - cgroup2 cgroup2 rw,nsdelegate`;

function files(...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(join(base, path, '..'), { recursive: true });
    writeFileSync(join(base, path), '');
  }
}

test('version 1 with shared and named hierarchies', () => {
  files('cpu/cpu.shares', 'cpu/cpu.cfs_quota_us', 'cpu/cpu.cfs_period_us', 'memory/memory.limit_in_bytes');
  const host = readCgroupHost(
    [v1('cpu', 'cpu,cpuacct'), v1('memory', 'memory'), v1('systemd', 'xattr,name=systemd')].join('\n'),
  );
  expect({ ...host, hierarchies: [] }).toEqual({
    layout: 'v1',
    version: '1',
    hierarchies: [],
    unified: undefined,
    controllers: new Set(['cpu', 'cpuacct', 'memory']),
  });
  const facts = readCgroupFacts(host);
  expect(facts).toEqual({
    memoryLimit: true,
    swapLimit: false,
    cpuCfs: true,
    cpuShares: true,
    cpuset: false,
    pidsLimit: false,
  });
  expect(cgroupWarnings(facts)).toEqual(['WARNING: No swap limit support', 'WARNING: No cpuset support']);
});

test('the unified hierarchy alone', () => {
  files('unified/system.slice/memory.swap.max');
  writeFileSync(join(base, 'unified/cgroup.controllers'), 'cpuset cpu io memory pids\n');
  const host = readCgroupHost(v2('unified'));
  expect([host.layout, host.version]).toEqual(['v2', '2']);
  expect(cgroupWarnings(readCgroupFacts(host))).toEqual([]);
});

test('both together are hybrid, and count as version 1', () => {
  const host = readCgroupHost([v1('pids', 'pids'), v2('unified')].join('\n'));
  expect([host.layout, host.version]).toEqual(['hybrid', '1']);
});

test('the cgroups of this machine are read', () => {
  expect(readCgroupHost().controllers.size).toBeGreaterThan(0);
});

test('in a container the hierarchy begins at its own cgroup', () => {
  const host = readCgroupHost(
    '30 25 0:27 /outer/c /sys/fs/cgroup/pids ro,nosuid - cgroup cgroup rw,pids\n31 25 0:28 /outer/c /cg2 rw - cgroup2 cgroup2 rw',
  );
  const pids = { directory: '/sys/fs/cgroup/pids', root: '/outer/c' };
  expect(host.hierarchies).toEqual([{ ...pids, controllers: ['pids'] }]);
  expect(host.unified).toEqual({ directory: '/cg2', root: '/outer/c' });
  expect(cgroupFolder(pids, '/outer/c/sampan/x')).toBe('/sys/fs/cgroup/pids/sampan/x');
  expect(cgroupFolder(pids, '/outer/c')).toBe('/sys/fs/cgroup/pids');
  // Of a cgroup namespace of its own, and of a neighbour.
  expect(cgroupFolder(pids, '/sampan/x')).toBe('/sys/fs/cgroup/pids/sampan/x');
  expect(cgroupFolder(pids, '/outer/cc')).toBe('/sys/fs/cgroup/pids/outer/cc');
});
