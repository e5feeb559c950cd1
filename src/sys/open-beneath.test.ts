import { afterEach, beforeEach, expect, test } from 'bun:test';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SyscallError } from './libc.ts';
import { openPlaceBeneath } from './open-beneath.ts';

let outside: string;
let base: string;
beforeEach(() => {
  outside = mkdtempSync(join(tmpdir(), 'sampan-beneath-'));
  base = join(outside, 'base');
  mkdirSync(join(base, 'folder'), { recursive: true });
  writeFileSync(join(base, 'folder/file'), 'x');
  writeFileSync(join(outside, 'secret'), 'x');
});
afterEach(() => rmSync(outside, { recursive: true, force: true }));

function errnoOf(path: string): number | undefined {
  try {
    closeSync(openPlaceBeneath(base, path));
    return undefined;
  } catch (error) {
    return error instanceof SyscallError ? error.errno : -1;
  }
}

test('files, folders and links that stay inside are found', () => {
  symlinkSync('folder', join(base, 'in'));
  symlinkSync('../base/folder', join(base, 'folder/back'));
  for (const path of ['folder/file', 'in/file', '.', 'folder/../folder']) {
    const fd = openPlaceBeneath(base, path);
    expect(fstatSync(fd).ino).toBe(statSync(join(base, path)).ino);
    closeSync(fd);
  }
});

test('what leads out is refused, by links and by dots', () => {
  const [ENOENT, EXDEV, ENOTDIR, ELOOP] = [2, 18, 20, 40];
  symlinkSync(join(outside, 'secret'), join(base, 'absolute'));
  symlinkSync('../secret', join(base, 'relative'));
  symlinkSync('..', join(base, 'up'));
  symlinkSync('loop', join(base, 'loop'));
  symlinkSync('/proc/self/root', join(base, 'magic'));
  const tried = ['absolute', 'relative', 'up/secret', '../secret', '/etc', 'magic/etc'];
  expect(tried.map(errnoOf)).toEqual(tried.map(() => EXDEV));
  expect([errnoOf('absent'), errnoOf('folder/file/x'), errnoOf('loop')]).toEqual([ENOENT, ENOTDIR, ELOOP]);
});
