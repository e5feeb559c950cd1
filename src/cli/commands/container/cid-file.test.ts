import { expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CidFile } from './cid-file.ts';

test('a cid file is there while its container is made, and stays only with its id', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sampan-cid-'));
  const path = join(folder, 'id');
  try {
    const failed = await CidFile.claim(path);
    expect(existsSync(path)).toBe(true);
    await failed?.close();
    expect(readdirSync(folder)).toEqual([]);
    const file = await CidFile.claim(path);
    await file?.write('abc');
    await file?.close();
    expect(readFileSync(path, 'utf8')).toBe('abc');
    expect(CidFile.claim(path)).rejects.toThrow(
      `container ID file found, make sure the other container isn't running or delete ${path}`,
    );
    // Nor is a folder made on the way.
    expect(CidFile.claim(join(folder, 'nosuch/id'))).rejects.toThrow(
      `failed to create the container ID file: open ${folder}/nosuch/id: no such file or directory`,
    );
    expect(CidFile.claim(join(path, 'id'))).rejects.toThrow('not a directory');
    expect(readdirSync(folder)).toEqual(['id']);
    expect(await CidFile.claim('')).toBeUndefined();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
