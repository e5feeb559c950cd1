#!/usr/bin/env node
// Compiles the command line to one executable, dist/sampan; dist/docker is the same under Docker's name.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { findBun, root } from './toolchain.mjs';

const dist = join(root, 'dist');
const target = join(dist, 'sampan');
const fresh = join(dist, `.sampan-${process.pid}`);
mkdirSync(dist, { recursive: true });

const started = Date.now();
const result = spawnSync(
  findBun(),
  [
    'build',
    '--compile',
    // Commands are read when they are called: 1 to 2 ms of each start.
    '--splitting',
    '--bytecode',
    '--format=esm',
    '--minify',
    '--target=bun',
    join(root, 'src/cli/main.ts'),
    `--outfile=${fresh}`,
  ],
  { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' },
);
if (result.status !== 0 || !existsSync(fresh)) {
  rmSync(fresh, { force: true });
  console.error(
    `Cannot compile the command line:\n${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}`,
  );
  process.exit(1);
}
// By rename: a running sampan keeps its own file.
renameSync(fresh, target);
const alias = join(dist, 'docker');
rmSync(alias, { force: true });
symlinkSync('sampan', alias);
const megabytes = (statSync(target).size / 1e6).toFixed(0);
console.log(`dist/sampan: ${megabytes} MB in ${((Date.now() - started) / 1000).toFixed(1)} s`);
