#!/usr/bin/env node
// The gate: format, lint, types, import rules, unit tests. `--fix` formats; `--no-tests` leaves the tests out.
import { spawnSync } from 'node:child_process';
import { bin, root } from './toolchain.mjs';

const fix = process.argv.includes('--fix');
const steps = [
  ['format', bin('biome'), ['check', ...(fix ? ['--write'] : []), '--error-on-warnings', '.']],
  ['lint', bin('oxlint'), ['--type-aware', '--deny-warnings', 'src', 'test', 'bench', 'scripts']],
  ['types', bin('tsc'), ['-p', '.']],
  ['types (client)', bin('tsc'), ['-p', 'tsconfig.client.json']],
  ['imports', process.execPath, ['scripts/check-deps.mjs']],
];
if (!process.argv.includes('--no-tests')) {
  steps.push(['unit tests', process.execPath, ['scripts/test.mjs', '--unit']]);
}

let failed = 0;
for (const [name, command, args] of /** @type {[string, string, string[]][]} */ (steps)) {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const ok = result.status === 0;
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}`);
  if (ok) continue;
  failed++;
  console.log(`${result.stdout}${result.stderr}${result.error?.message ?? ''}`);
}
process.exit(failed === 0 ? 0 : 1);
