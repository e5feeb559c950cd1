#!/usr/bin/env node
// The fault campaign: runs test/chaos/main.ts in namespaces of its own, then looks at the machine from outside. `--help` lists its options.
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { folderOnDisk } from './folder-on-disk.mjs';
import { hostState, leftBy } from './host-state.mjs';
import { setup } from './setup.mjs';
import { findBun, root } from './toolchain.mjs';

if (process.getuid?.() !== 0) {
  console.error('The fault campaign needs root: sudo npm run chaos');
  process.exit(1);
}
await setup({ tests: true });
const folder = mkdtempSync(join(folderOnDisk(), 'spt-'));
chmodSync(folder, 0o755);
const mark = `${process.pid}-chaos`;
const inside = [findBun(), join(root, 'test/chaos/main.ts'), ...process.argv.slice(2)];
const child = spawn('unshare', ['-mnpf', '--kill-child', '--mount-proc', ...inside], {
  cwd: root,
  stdio: 'inherit',
  env: {
    ...process.env,
    PATH: `${process.env.PATH}:${join(root, '.cache/docker-cli/usr/bin')}`,
    TMPDIR: folder,
    SAMPAN_TEST_RUN: mark,
  },
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
const code = await new Promise((done) => child.on('close', (exit) => done(exit ?? 1)));
const left = () => [
  ...leftBy({ mark, folder }),
  ...[...hostState()].filter((item) => item.startsWith(`mount ${folder}`)),
];
// The kernel takes a moment to take namespaces apart.
for (let tries = 0; tries < 20 && left().length > 0; tries++)
  await new Promise((done) => setTimeout(done, 100));
const leaks = left();
for (const leak of leaks) console.log(`BROKEN left on the machine: ${leak}`);
rmSync(folder, { recursive: true, force: true });
process.exit(code === 0 && leaks.length > 0 ? 1 : code);
