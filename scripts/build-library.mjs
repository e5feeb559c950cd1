#!/usr/bin/env node
// The client library for Node and Bun: plain ESM with types, dist/library, which package.json exports.
import { spawnSync } from 'node:child_process';
import { renameSync, rmSync } from 'node:fs';
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
  rmSync(target, { recursive: true, force: true });
  renameSync(fresh, target);
}

buildLibrary();
console.log('dist/library: built');
