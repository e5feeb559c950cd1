#!/usr/bin/env node
// Runs what there is and ends with one line: `N passed, N failed, N skipped`.
// `--unit`: only tests that need no root. Further arguments name files or folders.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { folderOnDisk } from './folder-on-disk.mjs';
import { appearedSince, hostState, leftBy } from './host-state.mjs';
import { serveOutside } from './outside-proxy.mjs';
import { setup } from './setup.mjs';
import { findBun, root } from './toolchain.mjs';

const args = process.argv.slice(2);
const unitOnly = args.includes('--unit');
const named = args.filter((arg) => !arg.startsWith('--'));
const isRoot = process.getuid?.() === 0;
/** Short, since sockets and old archives have short names, and open to those who are not root. */
const reports = mkdtempSync(join(folderOnDisk(), 'spt-'));
chmodSync(reports, 0o755);
/** As in src/sys/testing/patience.ts. */
const patience = Math.max(1, Number(process.env.SAMPAN_TEST_PATIENCE) || 1);
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

async function run({ label, command, report, env = {}, limitMs = 600_000 }) {
  const started = Date.now();
  const child = spawn(command[0], command.slice(1), {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: `${process.env.PATH}:${join(root, '.cache/docker-cli/usr/bin')}`, ...env },
  });
  // What hangs is ended, with all that it started when that is in a pid namespace of its own.
  const limit = setTimeout(() => child.kill('SIGKILL'), limitMs * patience);
  const chunks = [];
  child.stdout.on('data', (data) => chunks.push(data));
  child.stderr.on('data', (data) => chunks.push(data));
  const status = await new Promise((done) => child.on('close', (code, signal) => done(signal ?? code)));
  clearTimeout(limit);
  const before = totals.failed;
  const counted = sumUp(report, label);
  if (status !== 0) {
    if (!counted || totals.failed === before) totals.failed++;
    console.log(`FAIL ${label} (${status})\n${Buffer.concat(chunks).toString()}`);
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

/** Where tests find their way out of their network namespaces. */
const outsidePath = join(reports, 'outside');

/** The machine before any test, which files run now, and which ran when something new was first seen. */
const atStart = hostState();
const running = new Set();
const suspects = new Map();

async function runUnit() {
  if (unit.length === 0) return;
  const report = join(reports, 'unit.xml');
  const command = [
    bun,
    'test',
    '--timeout',
    String(30_000 * patience),
    '--reporter=junit',
    `--reporter-outfile=${report}`,
  ];
  await run({ label: 'unit tests', command: [...command, ...unit], report, env: { TMPDIR: folderOnDisk() } });
}

/** One file in namespaces of its own and with a folder of its own for temporary files; what it leaves on the machine is a failure. */
async function runPrivileged(file, index) {
  const report = join(reports, `root-${index}.xml`);
  const folder = join(reports, String(index));
  const mark = `${process.pid}-${index}`;
  mkdirSync(folder);
  running.add(file);
  // biome-ignore format: one option and its value per pair
  const inside = [bun, 'test', '--timeout', String(120_000 * patience), '--reporter=junit', `--reporter-outfile=${report}`, file];
  await run({
    label: file,
    // tini: what a daemon leaves as it is killed is process 1's to reap, and a container's first process can't go before.
    command: ['unshare', '-mnpf', '--kill-child', '--mount-proc', 'tini-static', '--', ...inside],
    report,
    env: { TMPDIR: folder, SAMPAN_TEST_RUN: mark, SAMPAN_TEST_OUTSIDE: outsidePath },
  });
  const left = await stays(() => leftBy({ mark, folder }));
  if (left.length > 0) reportLeak(file, left);
  // What a file beside this one may still be using is judged at the end.
  for (const item of appearedSince(atStart)) if (!suspects.has(item)) suspects.set(item, [...running]);
  running.delete(file);
}

function reportLeak(who, leaks) {
  totals.failed++;
  console.log(`LEAK ${who} left on the machine:\n  ${leaks.join('\n  ')}`);
}

/** The kernel takes a moment to take a namespace apart; a leak stays. */
async function stays(look) {
  let found = look();
  for (let tries = 0; tries < 20 && found.length > 0; tries++) {
    await new Promise((done) => setTimeout(done, 100));
    found = look();
  }
  return found;
}

async function reportSharedLeaks() {
  const leaks = await stays(() => appearedSince(atStart).filter((item) => suspects.has(item)));
  for (const who of new Set(leaks.map((item) => suspects.get(item).join(' or '))))
    reportLeak(
      who,
      leaks.filter((item) => suspects.get(item).join(' or ') === who),
    );
}

await runUnit();
if (!unitOnly && !isRoot) {
  for (const file of privileged) console.log(`SKIP ${file}: needs root`);
  totals.skipped += privileged.length;
} else if (!unitOnly) {
  const closeOutside = await serveOutside(outsidePath);
  const queue = [...privileged.entries()];
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift())
      await runPrivileged(next[1], next[0]);
  };
  // Each file is alone in its namespaces, so some may run at once; few, since many measure time.
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
  closeOutside();
  await reportSharedLeaks();
}

rmSync(reports, { recursive: true, force: true });
const strict = process.env.SAMPAN_REQUIRE_ROOT === '1';
if (strict && totals.skipped > 0)
  console.log('Skipped tests count as failures here (SAMPAN_REQUIRE_ROOT=1).');
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed > 0 || totals.passed === 0 || (strict && totals.skipped > 0) ? 1 : 0);
