import { afterEach, beforeEach, expect, test } from 'bun:test';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const bin = join(import.meta.dir, '../../bin');

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'launchers-'));
  cpSync(bin, join(root, 'bin'), { recursive: true, verbatimSymlinks: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A Bun that says which it is. */
function putBun(variant: string): void {
  const folder = join(root, 'node_modules/@oven', `bun-${variant}`, 'bin');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'bun'), `#!/bin/sh\necho ${variant}\n`);
  chmodSync(join(folder, 'bun'), 0o755);
}

const started = (name: string): string =>
  Bun.spawnSync([join(root, 'bin', name)], { env: { PATH: '/usr/bin:/bin' } })
    .stdout.toString()
    .trim();

test.each(['sampan', 'docker', 'sampand'])(
  '%s takes the Bun for this libc where npm has brought all',
  (name) => {
    for (const variant of ['linux-x64-musl', 'linux-x64-musl-baseline', 'linux-x64-baseline', 'linux-x64'])
      putBun(variant);
    expect(started(name)).toBe('linux-x64');
  },
);

test.each(['linux-aarch64', 'linux-x64-baseline', 'linux-x64-musl', 'darwin-aarch64'])(
  'sampan takes the Bun for %s where there is no other',
  (variant) => {
    putBun(variant);
    expect(started('sampan')).toBe(variant);
  },
);
