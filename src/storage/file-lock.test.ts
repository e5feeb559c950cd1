import { afterEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockFile } from './file-lock.ts';

const directory = mkdtempSync(join(tmpdir(), 'sampan-lock-'));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('lockFile() refuses a second holder and gives the lock on after release()', () => {
  const path = join(directory, 'lock');
  const lock = lockFile(path, 'the data root');
  expect(() => lockFile(path, 'the data root')).toThrow('Cannot lock the data root');
  lock.release();
  lockFile(path, 'the data root').release();
});
