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

test('it is kept up for as long as a start may take, and no longer', async () => {
  const file = procsFile();
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, '');
  new CgroupWarmth(root).anticipate();
  await eventually(() => readFileSync(file, 'utf8') === '0');
  writeFileSync(file, '');
  await eventually(() => readFileSync(file, 'utf8') === '0');
  await sleep(300);
  writeFileSync(file, '');
  await sleep(50);
  expect(readFileSync(file, 'utf8')).toBe('');
});

test('the last end() ends it', async () => {
  const file = procsFile();
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, '');
  const warmth = new CgroupWarmth(root);
  warmth.begin();
  await eventually(() => readFileSync(file, 'utf8') === '0');
  warmth.end();
  await sleep(20);
  writeFileSync(file, '');
  await sleep(50);
  expect(readFileSync(file, 'utf8')).toBe('');
});

async function eventually(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !holds(); i++) await sleep(1);
  expect(holds()).toBe(true);
}

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
