#!/usr/bin/env node
// `npm run package`: dist/sampan_<version>_<architecture>.deb for each architecture, and dist/sampan-<version>.tgz, the client library.
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ARCHITECTURES } from './package/bun-of.mjs';
import { buildDebianPackage } from './package/debian-package.mjs';
import { buildNpmPackage } from './package/npm-package.mjs';
import { runMain, SetupProblem } from './setup.mjs';
import { root } from './toolchain.mjs';

const USAGE = `Usage: npm run package -- [--only deb|npm] [--arch amd64|arm64]... [--deb-version V] [--compression xz|zstd|gzip|none] [--out DIR]

SOURCE_DATE_EPOCH is the time of all files; default: that of the last commit.`;

function options() {
  try {
    return parseArgs({
      options: {
        only: { type: 'string' },
        arch: { type: 'string', multiple: true, default: Object.keys(ARCHITECTURES) },
        'deb-version': { type: 'string' },
        compression: { type: 'string', default: 'xz' },
        out: { type: 'string', default: join(root, 'dist') },
      },
    }).values;
  } catch (error) {
    throw new SetupProblem(`${error.message}\n${USAGE}`);
  }
}

function sourceDate() {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined) {
    if (!/^\d+$/.test(given)) throw new SetupProblem(`SOURCE_DATE_EPOCH is no number of seconds: ${given}`);
    return Number(given);
  }
  const { stdout } = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' });
  return Number(stdout?.trim()) || Math.floor(statSync(join(root, 'package.json')).mtimeMs / 1000);
}

function main() {
  const { only, arch, compression, out, 'deb-version': debVersion } = options();
  const unknown = arch.find((name) => !Object.hasOwn(ARCHITECTURES, name));
  if (unknown !== undefined || ![undefined, 'deb', 'npm'].includes(only)) throw new SetupProblem(USAGE);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const made = [];
  if (only !== 'deb') made.push(buildNpmPackage({ out: resolve(out) }));
  for (const architecture of only === 'npm' ? [] : arch)
    made.push(
      buildDebianPackage({
        architecture,
        version: debVersion ?? version,
        epoch: sourceDate(),
        compression,
        out: resolve(out),
      }),
    );
  for (const path of made)
    console.log(`${relative(process.cwd(), path)}: ${(statSync(path).size / 1e6).toFixed(1)} MB`);
}

await runMain(main);
