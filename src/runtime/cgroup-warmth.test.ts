import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CgroupWarmth } from './cgroup-warmth.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sampan-warmth-'));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

/** Where this process would be found in a `pids` hierarchy at `root`. */
function procsFile(): string {
  const path = /^\d+:pids:(?<path>\/.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.groups?.['path'];
  return join(root, 'pids', path ?? '/', 'cgroup.procs');
}

test('anticipate() moves this process to where it is, once for several calls', async () => {
  const file = procsFile();
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, '');
  const warmth = new CgroupWarmth(root);
  for (let i = 0; i < 3; i++) warmth.anticipate();
  for (let i = 0; i < 100 && readFileSync(file, 'utf8') === ''; i++) await sleep(5);
  expect(readFileSync(file, 'utf8')).toBe('0');
});

test('a host with cgroup v2 alone, or with no such hierarchy, is left alone', async () => {
  const file = procsFile();
  new CgroupWarmth(root).anticipate();
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, '');
  writeFileSync(join(root, 'cgroup.controllers'), 'pids\n');
  new CgroupWarmth(root).anticipate();
  await sleep(20);
  expect(readFileSync(file, 'utf8')).toBe('');
});
