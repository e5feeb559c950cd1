// Where the pinned toolchain lies: found without Bun, by plain Node 18 and up.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Path of the pinned Bun: the platform package first, since the postinstall of `bun` may not have run. */
export function findBun() {
  const arch = process.arch === 'arm64' ? 'aarch64' : process.arch;
  const candidates = ['', '-baseline', '-musl', '-musl-baseline'].map((variant) =>
    join(root, 'node_modules/@oven', `bun-${process.platform}-${arch}${variant}`, 'bin/bun'),
  );
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) throw new Error('Cannot find Bun in node_modules. Run `npm ci` first.');
  return found;
}

export const bin = (name) => join(root, 'node_modules/.bin', name);
