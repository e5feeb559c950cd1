import { afterEach, beforeEach, expect, test } from 'bun:test';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../test/support/failure-of.ts';
import { copyContent } from './copy-content.ts';

let base: string;
let from: string;
let to: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sampan-copy-'));
  [from, to] = [join(base, '-from'), join(base, 'to')];
  mkdirSync(from);
  mkdirSync(to);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

test('modes, times, hard links and links as they are; the directory itself included', async () => {
  writeFileSync(join(from, 'file'), 'x', { mode: 0o640 });
  linkSync(join(from, 'file'), join(from, 'same'));
  utimesSync(join(from, 'file'), 86400, 86400);
  symlinkSync('../../outside', join(from, 'link'));
  chmodSync(from, 0o1770);
  await copyContent(from, to);
  expect(readdirSync(to).sort()).toEqual(['file', 'link', 'same']);
  const file = statSync(join(to, 'file'));
  expect([file.mode & 0o777, file.mtimeMs, file.nlink]).toEqual([0o640, 86_400_000, 2]);
  expect(readlinkSync(join(to, 'link'))).toBe('../../outside');
  expect(lstatSync(to).mode & 0o7777).toBe(0o1770);
  expect(readFileSync(join(to, 'same'), 'utf8')).toBe('x');
});

test('what cannot be copied fails with its reason', async () => {
  expect(await failureOf(copyContent(join(base, 'absent'), to))).toMatchObject({
    kind: 'internal',
    message: expect.stringContaining('No such file or directory'),
  });
});
