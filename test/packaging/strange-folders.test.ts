import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLIENT_VERSION } from '../../src/cli/version.ts';

const checkout = join(import.meta.dir, '../..');

// Root types commands in folders of others. Bun by itself would run what bunfig.toml there names, and take variables from .env.
let strange = '';
beforeAll(() => {
  strange = mkdtempSync(join(tmpdir(), 'sampan-strange-'));
  writeFileSync(join(strange, 'bunfig.toml'), 'preload = ["./preload.js"]\n');
  writeFileSync(join(strange, 'preload.js'), 'console.log("run by root")\n');
  writeFileSync(join(strange, '.env'), 'DOCKER_HOST=unix:///strange.sock\n');
});
afterAll(() => rmSync(strange, { recursive: true, force: true }));

function run(program: string, ...args: string[]): string {
  const { DOCKER_HOST: _, ...rest } = process.env;
  const { stdout, stderr } = Bun.spawnSync([program, ...args], {
    cwd: strange,
    env: { ...rest, SAMPAN_SOURCES: '1' },
  });
  return stdout.toString() + stderr.toString();
}

test('the launchers read nothing of the folder that they are called in', () => {
  expect(run(join(checkout, 'bin/sampan'), '--version')).toBe(`Sampan version ${CLIENT_VERSION}\n`);
  expect(run(join(checkout, 'bin/sampand'), '--version')).toStartWith('Sampan version ');
  expect(run(join(checkout, 'bin/sampan'), 'context', 'show')).toBe('default\n');
});

test('nor does the compiled command line', () => {
  const work = mkdtempSync(join(tmpdir(), 'sampan-compiled-'));
  try {
    const program = join(work, 'sampan');
    const script = `import { compileCommandLine } from ${JSON.stringify(join(checkout, 'scripts/build.mjs'))};
compileCommandLine(${JSON.stringify(program)});`;
    Bun.spawnSync(['node', '--input-type=module', '-e', script]);
    expect(run(program, '--version')).toBe(`Sampan version ${CLIENT_VERSION}\n`);
    expect(run(program, 'ps')).not.toContain('strange.sock');
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}, 60_000);
