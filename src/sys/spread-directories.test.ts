import { expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spreadDirectories } from './spread-directories.ts';

test.each([tmpdir(), '/dev/shm'])(
  'below %s: where the file system can, and without harm elsewhere',
  (where) => {
    const directory = mkdtempSync(join(where, 'sampan-spread-'));
    try {
      const isExt4 = statfsSync(directory).type === 0xef53;
      expect([spreadDirectories(directory), spreadDirectories(directory)]).toEqual([isExt4, isExt4]);
      const groups = new Set<number>();
      for (let at = 0; at < 20; at++) {
        mkdirSync(join(directory, String(at)));
        // 8192 inodes make a group where mke2fs was not told otherwise.
        groups.add(Math.floor(statSync(join(directory, String(at))).ino / 8192));
      }
      if (isExt4) expect(groups.size).toBeGreaterThan(1);
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
);
