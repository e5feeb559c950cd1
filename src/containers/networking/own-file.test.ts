import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readOwnFile } from './own-file.ts';

test('a file that a container has made large is not read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sampan-own-'));
  try {
    const path = join(folder, 'hosts');
    expect(await readOwnFile(path)).toBeUndefined();
    writeFileSync(path, '127.0.0.1\tlocalhost é\n');
    expect(await readOwnFile(path)).toBe('127.0.0.1\tlocalhost é\n');
    writeFileSync(path, '');
    expect(await readOwnFile(path)).toBe('');
    writeFileSync(path, Buffer.alloc((1 << 20) + 1, '\n'));
    expect(await readOwnFile(path)).toBeUndefined();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
