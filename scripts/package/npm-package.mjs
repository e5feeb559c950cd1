// Packs the client library as npm does: dist/library, README, licence, and a manifest without dependencies.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../toolchain.mjs';

/** @returns the tarball's path. */
export function buildNpmPackage({ out }) {
  mkdirSync(out, { recursive: true });
  run(process.execPath, [join(root, 'scripts/build-library.mjs')]);
  const printed = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', out]);
  const [{ filename }] = JSON.parse(printed);
  return join(out, filename);
}

function run(program, args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args[0]} failed: ${error?.message ?? stderr}`);
  return stdout;
}
