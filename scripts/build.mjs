#!/usr/bin/env node
// Compiles the command line to one executable, dist/sampan; dist/docker is the same under Docker's name.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBun, root } from './toolchain.mjs';

/** Compile into `outfile`. `forTarget`: for another machine, `{ target, bun }`, `bun` being the Bun of that machine. */
export function compileCommandLine(outfile, { forTarget } = {}) {
  mkdirSync(dirname(outfile), { recursive: true });
  // The file's name gets into it: the same one each time.
  const work = mkdtempSync(join(dirname(outfile), '.compile-'));
  try {
    const fresh = join(work, 'sampan');
    compile(fresh, forTarget);
    // By rename: a running sampan keeps its own file.
    renameSync(fresh, outfile);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function compile(fresh, forTarget) {
  const target =
    forTarget === undefined
      ? ['--target=bun']
      : [`--target=${forTarget.target}`, `--compile-executable-path=${forTarget.bun}`];
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
      // Root types commands in folders of others: their .env and bunfig.toml (whose preload is code) are not ours to read.
      '--no-compile-autoload-dotenv',
      '--no-compile-autoload-bunfig',
      ...target,
      join(root, 'src/cli/main.ts'),
      `--outfile=${fresh}`,
    ],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' },
  );
  if (result.status !== 0 || !existsSync(fresh))
    throw new Error(
      `Cannot compile the command line:\n${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}`,
    );
}

function main() {
  const started = Date.now();
  const target = join(root, 'dist/sampan');
  try {
    compileCommandLine(target);
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
  const alias = join(root, 'dist/docker');
  rmSync(alias, { force: true });
  symlinkSync('sampan', alias);
  const megabytes = (statSync(target).size / 1e6).toFixed(0);
  console.log(`dist/sampan: ${megabytes} MB in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
