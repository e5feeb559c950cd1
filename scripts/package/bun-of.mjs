// The pinned Bun of a Debian architecture: from node_modules, or fetched from the npm registry and held against package-lock.json.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../toolchain.mjs';

/** By Debian's names: npm's package, and what `bun build --target` calls it. */
export const ARCHITECTURES = {
  amd64: { package: '@oven/bun-linux-x64', target: 'bun-linux-x64' },
  arm64: { package: '@oven/bun-linux-aarch64', target: 'bun-linux-arm64' },
};

/** @returns the program's path. */
export function bunOf(architecture) {
  const { package: name } = ARCHITECTURES[architecture];
  const installed = join(root, 'node_modules', name, 'bin/bun');
  if (existsSync(installed)) return installed;
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const { version, integrity } = lock.packages[`node_modules/${name}`];
  const folder = join(root, '.cache', `${name.split('/')[1]}-${version}`);
  if (!existsSync(folder)) fetchPackage(`${name}@${version}`, { integrity, folder });
  return join(folder, 'package/bin/bun');
}

function fetchPackage(spec, { integrity, folder }) {
  mkdirSync(join(root, '.cache'), { recursive: true });
  const work = mkdtempSync(join(root, '.cache/bun-'));
  try {
    run('npm', ['pack', spec, '--silent', '--pack-destination', work], work);
    const [archive = ''] = readdirSync(work).filter((file) => file.endsWith('.tgz'));
    const hash = createHash('sha512')
      .update(readFileSync(join(work, archive)))
      .digest('base64');
    if (`sha512-${hash}` !== integrity)
      throw new Error(`${spec} is not what package-lock.json names: sha512-${hash}, expected ${integrity}`);
    run('tar', ['-xzf', archive], work);
    rmSync(join(work, archive));
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function run(program, args, cwd) {
  const { status, stderr, error } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args[0]} failed: ${error?.message ?? stderr}`);
}
