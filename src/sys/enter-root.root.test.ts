import { afterAll, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChecked } from './spawn.ts';

const root = mkdtempSync(join(tmpdir(), 'sampan-root-'));
afterAll(() => rmSync(root, { recursive: true }));

test('ownMounts() and enterRoot(): files can be read, no device be opened, and nothing of it is seen outside', async () => {
  writeFileSync(join(root, 'file'), 'content');
  await runChecked(['mknod', join(root, 'device'), 'c', '1', '5']);
  const program = `
    import { openSync, readFileSync } from 'node:fs';
    import { enterRoot, ownMounts } from ${JSON.stringify(join(import.meta.dir, 'enter-root.ts'))};
    ownMounts();
    enterRoot(${JSON.stringify(root)});
    let opened = 'opened';
    try { openSync('/device', 'r'); } catch ({ code }) { opened = code; }
    console.log(readFileSync('/file', 'utf8'), opened);`;
  const command = [process.execPath, '--eval', program];
  expect((await runChecked(command)).stdout).toBe('content EACCES\n');
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(root);
});
