import { afterAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChecked } from './spawn.ts';

const root = mkdtempSync(join(tmpdir(), 'sampan-root-'));
afterAll(() => rmSync(root, { recursive: true }));

test('enterRoot() lets files be read and no device be opened', async () => {
  writeFileSync(join(root, 'file'), 'content');
  await runChecked(['mknod', join(root, 'device'), 'c', '1', '5']);
  const program = `
    import { openSync, readFileSync } from 'node:fs';
    import { enterRoot } from ${JSON.stringify(join(import.meta.dir, 'enter-root.ts'))};
    enterRoot(${JSON.stringify(root)});
    let opened = 'opened';
    try { openSync('/device', 'r'); } catch ({ code }) { opened = code; }
    console.log(readFileSync('/file', 'utf8'), opened);`;
  const command = ['unshare', '--mount', '--propagation', 'private', process.execPath, '--eval', program];
  expect((await runChecked(command)).stdout).toBe('content EACCES\n');
});
