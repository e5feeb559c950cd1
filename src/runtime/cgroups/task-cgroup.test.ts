import { afterAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cgroupVersion, TaskCgroup } from './task-cgroup.ts';

const base = mkdtempSync(join(tmpdir(), 'sampan-cg-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

function tree(name: string, files: Record<string, string>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(base, name, path, '..'), { recursive: true });
    writeFileSync(join(base, name, path), text);
  }
  return join(base, name);
}

test('v2: processes of the cgroup and of those below it, and OOM kills', () => {
  const root = tree('v2', {
    'cgroup.controllers': 'memory pids\n',
    'sampan/id/cgroup.procs': '12\n7\n',
    'sampan/id/inner/cgroup.procs': '30\n0\n',
    'sampan/id/memory.events': 'low 0\noom 1\noom_kill 2\n',
  });
  expect(cgroupVersion(root)).toBe('2');
  const cgroup = new TaskCgroup('/sampan/id', root);
  expect(cgroup.processes()).toEqual([7, 12, 30]);
  expect(cgroup.oomKills()).toBe(2);
});

test('v1: each hierarchy has its folder', () => {
  const root = tree('v1', {
    'memory/p/id/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
    'memory/p/id/cgroup.procs': '5\n',
    'pids/p/id/cgroup.procs': '5\n',
  });
  expect(cgroupVersion(root)).toBe('1');
  const cgroup = new TaskCgroup('/p/id', root);
  expect(cgroup.processes()).toEqual([5]);
  expect(cgroup.oomKills()).toBe(1);
});

test('the systemd driver puts a scope into nested slices', () => {
  const root = tree('sd', {
    'cgroup.controllers': '',
    'a.slice/a-b.slice/sampan-id.scope/cgroup.procs': '9\n',
  });
  expect(new TaskCgroup('a-b.slice:sampan:id', root).processes()).toEqual([9]);
});

test('what is not there has no processes and is removed', async () => {
  const cgroup = new TaskCgroup('/nosuch', base);
  expect(cgroup.processes()).toEqual([]);
  expect(cgroup.oomKills()).toBe(0);
  expect(await cgroup.remove()).toBe(true);
});
