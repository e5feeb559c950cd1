#!/usr/bin/env node
// Machines of Debian's own kernels: makes their roots, boots them and runs the engine in each (test/machines). `--help` lists its options.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { installOsPackages, runMain, SetupProblem, setup } from './setup.mjs';
import { findBun, root } from './toolchain.mjs';

/** What is looked for, and the Debian package that brings it. */
const HOST_PROGRAMS = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  mmdebstrap: 'mmdebstrap',
  mke2fs: 'e2fsprogs',
  ssh: 'openssh-client',
  git: 'git',
};

async function main() {
  if (process.getuid?.() !== 0)
    throw new SetupProblem('Roots of machines are made by root: sudo npm run machines');
  await setup();
  await installOsPackages(HOST_PROGRAMS);
  const child = spawn(findBun(), [join(root, 'test/machines/main.ts'), ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  process.exitCode = await new Promise((done) => child.on('close', (exit) => done(exit ?? 1)));
}

await runMain(main);
