import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LastingCgroup } from './lasting-cgroup.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lasting-cgroup-'));
  writeFileSync(join(root, 'cgroup.controllers'), 'cpu memory pids\n');
});
afterEach(() => rmSync(root, { recursive: true }));

/** What was last written there; a real one has a line for each. */
const moved = (): string | undefined => {
  const file = join(root, 'sampan-x/monitors/cgroup.procs');
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
};

test.each(['/system.slice/sampan.service', '/user.slice/user-0.slice/session-1.scope'])(
  'adopt() takes a process out of the unit %s',
  async (own) => {
    const cgroup = new LastingCgroup({ parent: '/sampan-x', root, own });
    cgroup.adopt(4711);
    expect(moved()).toBeUndefined();
    await cgroup.settle();
    expect(moved()).toBe('4711');
  },
);

test('adopt() leaves a process where it is when we are in no unit', async () => {
  const cgroup = new LastingCgroup({ parent: '/sampan-x', root, own: '/init' });
  cgroup.adopt(4711);
  await cgroup.close();
  expect(existsSync(join(root, 'sampan-x'))).toBe(false);
});

test('adopt() leaves a process where it is where cgroup v1 is', async () => {
  rmSync(join(root, 'cgroup.controllers'));
  const cgroup = new LastingCgroup({ parent: '/sampan-x', root, own: '/system.slice/sampan.service' });
  cgroup.adopt(4711);
  await cgroup.close();
  expect(existsSync(join(root, 'sampan-x'))).toBe(false);
});

test('close() moves what still waits, and keeps a folder that somebody is in', async () => {
  const cgroup = new LastingCgroup({ parent: '/sampan-x', root, own: '/system.slice/sampan.service' });
  cgroup.adopt(4711);
  await cgroup.close();
  expect(moved()).toBe('4711');
});

test('close() takes away a folder that nobody is in', async () => {
  mkdirSync(join(root, 'sampan-x/monitors'), { recursive: true });
  await new LastingCgroup({ parent: '/sampan-x', root, own: '/system.slice/sampan.service' }).close();
  expect(existsSync(join(root, 'sampan-x/monitors'))).toBe(false);
});
