import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CgroupWarmth } from './cgroup-warmth.ts';

/** As the kernel tells it in either layout, and the file in which this process would be found. */
const LAYOUTS = [
  { layout: 'v1', own: '9:pids:/unit\n0::/\n', procs: 'pids/unit/cgroup.procs', more: undefined },
  { layout: 'v2', own: '0::/unit\n', procs: 'unit/cgroup.procs', more: 'cgroup.controllers' },
];
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sampan-warmth-'));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

describe.each(LAYOUTS)('$layout', ({ own, procs, more }) => {
  let file: string;
  let warmth: CgroupWarmth;

  beforeEach(() => {
    file = join(root, procs);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '');
    if (more !== undefined) writeFileSync(join(root, more), 'pids\n');
    warmth = new CgroupWarmth({ root, own: () => own });
  });

  const moved = () => readFileSync(file, 'utf8') === '0';

  test('anticipate() moves this process to where it is, once for several calls', async () => {
    for (let i = 0; i < 3; i++) warmth.anticipate();
    await eventually(moved);
  });

  test('it is kept up for as long as a start may take, and no longer', async () => {
    warmth.anticipate();
    await eventually(moved);
    writeFileSync(file, '');
    await eventually(moved);
    await sleep(300);
    writeFileSync(file, '');
    await sleep(50);
    expect(moved()).toBe(false);
  });

  test('the last end() ends it', async () => {
    warmth.begin();
    await eventually(moved);
    warmth.end();
    await sleep(20);
    writeFileSync(file, '');
    await sleep(50);
    expect(moved()).toBe(false);
  });
});

test('a host with no such hierarchy is left alone', async () => {
  new CgroupWarmth({ root, own: () => LAYOUTS[0]?.own ?? '' }).anticipate();
  await sleep(20);
  expect(readdirSync(root)).toEqual([]);
});

async function eventually(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !holds(); i++) await sleep(1);
  expect(holds()).toBe(true);
}
