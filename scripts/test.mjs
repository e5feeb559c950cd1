#!/usr/bin/env node
// Runs what there is and ends with one line: `N passed, N failed, N skipped`.
// `--unit`: only tests that need no root. Further arguments name files or folders.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { setup } from './setup.mjs';
import { findBun, root } from './toolchain.mjs';

const args = process.argv.slice(2);
const unitOnly = args.includes('--unit');
const named = args.filter((arg) => !arg.startsWith('--'));
const isRoot = process.getuid?.() === 0;
const reports = mkdtempSync(join(tmpdir(), 'sampan-test-'));
const totals = { passed: 0, failed: 0, skipped: 0 };

function testFiles(directory) {
  if (statSync(directory).isFile()) return [directory];
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules') return [];
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return testFiles(path);
    return entry.name.endsWith('.test.ts') ? [path] : [];
  });
}

function sumUp(report, label) {
  let text;
  try {
    text = readFileSync(report, 'utf8');
  } catch {
    return false;
  }
  const attribute = (name) => Number(new RegExp(`<testsuites[^>]* ${name}="(\\d+)"`).exec(text)?.[1] ?? 0);
  const [tests, failures, skipped] = [attribute('tests'), attribute('failures'), attribute('skipped')];
  totals.passed += tests - failures - skipped;
  totals.failed += failures;
  totals.skipped += skipped;
  if (failures > 0) console.log(`FAIL ${label}: ${failures} of ${tests}`);
  return tests > 0;
}

async function run(label, command, commandArgs, report) {
  const started = Date.now();
  const child = spawn(command, commandArgs, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks = [];
  child.stdout.on('data', (data) => chunks.push(data));
  child.stderr.on('data', (data) => chunks.push(data));
  const status = await new Promise((done) => child.on('close', (code, signal) => done(signal ?? code)));
  const before = totals.failed;
  const counted = sumUp(report, label);
  if (status !== 0) {
    if (!counted || totals.failed === before) totals.failed++;
    console.log(`FAIL ${label} (${status})\n${Buffer.concat(chunks)}`);
  } else {
    console.log(`ok   ${label} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  }
}

const all = (
  named.length > 0 ? named.map((name) => resolve(name)) : [join(root, 'src'), join(root, 'test')]
).flatMap(testFiles);
const unit = all.filter((file) => !file.endsWith('.root.test.ts')).map((file) => `./${relative(root, file)}`);
const privileged = all
  .filter((file) => file.endsWith('.root.test.ts'))
  .map((file) => `./${relative(root, file)}`);

if (!unitOnly && isRoot) await setup({ tests: true });
if (!unitOnly && named.length === 0) {
  const gate = spawnSync(process.execPath, ['scripts/check.mjs', '--no-tests'], {
    cwd: root,
    stdio: 'inherit',
  });
  totals[gate.status === 0 ? 'passed' : 'failed']++;
}
const bun = findBun();
if (unit.length > 0) {
  const report = join(reports, 'unit.xml');
  await run(
    'unit tests',
    bun,
    ['test', '--timeout', '30000', '--reporter=junit', `--reporter-outfile=${report}`, ...unit],
    report,
  );
}
if (!unitOnly) {
  for (const [index, file] of privileged.entries()) {
    if (!isRoot) {
      console.log(`SKIP ${file}: needs root`);
      totals.skipped++;
      continue;
    }
    const report = join(reports, `root-${index}.xml`);
    const inside = [
      bun,
      'test',
      '--timeout',
      '120000',
      '--reporter=junit',
      `--reporter-outfile=${report}`,
      file,
    ];
    await run(file, 'unshare', ['-mnpf', '--kill-child', '--mount-proc', ...inside], report);
  }
}

rmSync(reports, { recursive: true, force: true });
const strict = process.env.SAMPAN_REQUIRE_ROOT === '1';
if (strict && totals.skipped > 0)
  console.log('Skipped tests count as failures here (SAMPAN_REQUIRE_ROOT=1).');
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed > 0 || totals.passed === 0 || (strict && totals.skipped > 0) ? 1 : 0);
