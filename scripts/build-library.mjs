#!/usr/bin/env node
// The client library for Node and Bun: plain ESM with types, dist/library, which package.json exports.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { bin, root } from './toolchain.mjs';

function buildLibrary() {
  const target = join(root, 'dist/library');
  const fresh = join(root, `dist/.library-${process.pid}`);
  const result = spawnSync(bin('tsc'), ['-p', 'tsconfig.library.json', '--outDir', fresh], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  });
  if (result.status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    throw new Error(
      `Cannot build the library:\n${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}`,
    );
  }
  // Who loads it just now finds all of it: what is the same stays.
  if (isSame(fresh, target)) return rmSync(fresh, { recursive: true });
  const old = `${fresh}-old`;
  if (existsSync(target)) renameSync(target, old);
  renameSync(fresh, target);
  rmSync(old, { recursive: true, force: true });
}

function isSame(one, other) {
  const [names, others] = [filesIn(one), filesIn(other)];
  return (
    names.join() === others.join() &&
    names.every((name) => readFileSync(join(one, name)).equals(readFileSync(join(other, name))))
  );
}

function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort((one, other) => (one < other ? -1 : 1));
}

buildLibrary();
console.log('dist/library: built');
