import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  type BenchName,
  type BenchOptions,
  BenchUsageError,
  readBenchOptions,
  usage,
} from './bench-options.ts';
import type { BenchRow } from './bench-row.ts';
import { buildBench } from './build-bench.ts';
import { CleanUp } from './clean-up.ts';
import { crowdBench } from './crowd-bench.ts';
import { execBench } from './exec-bench.ts';
import { floorBench } from './floor-bench.ts';
import { imageBench } from './image-bench.ts';
import { limitBench } from './limit-bench.ts';
import { listBench } from './list-bench.ts';
import { memoryBench } from './memory-bench.ts';
import { moveBench, moveNames } from './move-bench.ts';
import { trafficBench, userNetworkBench } from './network-bench.ts';
import { pullLoadBench } from './pull-load-bench.ts';
import { repullBench } from './repull-bench.ts';
import { formatResults, formatRow } from './results.ts';
import { runBench } from './run-bench.ts';
import { runManyBench } from './run-many-bench.ts';
import { runMemoryBench } from './run-memory-bench.ts';
import { Setting } from './setting.ts';
import { startBench } from './start-bench.ts';
import { attachBench, logBench, logSinceBench } from './stream-bench.ts';

const root = resolve(import.meta.dirname, '..');
const argv = process.argv.slice(2);

if (argv.includes('--help') || argv.includes('-h')) {
  process.stdout.write(usage);
} else {
  try {
    await benchAll(readBenchOptions(argv, join(root, 'bench/RESULTS.md')));
  } catch (error) {
    // A bench informs; only a wrong call is an error, so that none fails a test run.
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    if (error instanceof BenchUsageError) {
      process.stderr.write(usage);
      process.exitCode = 2;
    }
  }
}

async function benchAll(options: BenchOptions): Promise<void> {
  const cleanUp = new CleanUp();
  const folder = mkdtempSync(join(tmpdir(), 'sampan-bench-'));
  cleanUp.add('the folder', () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void cleanUp.run().then(() => process.exit(130)));
  try {
    const setting = await Setting.open({ options, root, folder, cleanUp });
    const outcome = await measure(setting);
    if (options.output !== undefined && outcome.rows.length > 0)
      writeFileSync(options.output, await formatResults(setting, outcome));
  } finally {
    await cleanUp.run();
  }
}

async function measure(setting: Setting): Promise<{ rows: BenchRow[]; problems: string[] }> {
  const rows: BenchRow[] = [];
  const problems: string[] = [];
  for (const { label, bench } of plan(setting.options.names)) {
    try {
      for (const row of await bench(setting)) {
        rows.push(row);
        console.log(formatRow(row));
      }
    } catch (error) {
      const problem = `${label}: ${error instanceof Error ? error.message : String(error)}`;
      problems.push(problem);
      process.stderr.write(`bench: ${problem}\n`);
    }
  }
  return { rows, problems };
}

interface PlannedBench {
  label: string;
  bench: (setting: Setting) => Promise<BenchRow[]>;
}

/** Memory first, while ours has just started, and again at the end; pull and removal share their rounds. */
function plan(names: readonly BenchName[]): PlannedBench[] {
  const has = (name: BenchName) => names.includes(name);
  const memory = (when: string): PlannedBench => ({
    label: 'idle-memory',
    bench: async (setting) => [await memoryBench(setting, when)],
  });
  const images = async (setting: Setting) => {
    const { pull, remove } = await imageBench(setting);
    return [...(has('pull') ? [pull] : []), ...(has('rmi') ? remove : [])];
  };
  const moves = moveNames.filter(has);
  const others = names.filter((name) => name !== 'idle-memory');
  return [
    ...(has('idle-memory') ? [memory('ours just started')] : []),
    ...(has('run') ? [{ label: 'run', bench: (setting: Setting) => runBench(setting, 'own') }] : []),
    ...(has('run-stock') ? [{ label: 'run-stock', bench: (s: Setting) => runBench(s, 'stock') }] : []),
    ...(has('pull') || has('rmi') ? [{ label: 'pull, rmi', bench: images }] : []),
    ...(has('pull-load') ? [{ label: 'pull-load', bench: pullLoadBench }] : []),
    ...(has('pull-limit')
      ? [{ label: 'pull-limit', bench: async (s: Setting) => [await limitBench(s)] }]
      : []),
    ...(has('re-pull') ? [{ label: 're-pull', bench: async (s: Setting) => [await repullBench(s)] }] : []),
    ...(moves.length > 0 ? [{ label: moves.join(', '), bench: (s: Setting) => moveBench(s, moves) }] : []),
    ...(has('attach') ? [{ label: 'attach', bench: attachBench }] : []),
    ...(has('logs') ? [{ label: 'logs', bench: logBench }] : []),
    ...(has('logs-since') ? [{ label: 'logs-since', bench: logSinceBench }] : []),
    ...(has('exec') ? [{ label: 'exec', bench: execBench }] : []),
    ...(has('run-many') ? [{ label: 'run-many', bench: runManyBench }] : []),
    ...(has('crowd') ? [{ label: 'crowd', bench: crowdBench }] : []),
    ...(has('user-network')
      ? [{ label: 'user-network', bench: async (s: Setting) => [await userNetworkBench(s)] }]
      : []),
    ...(has('traffic') ? [{ label: 'traffic', bench: trafficBench }] : []),
    ...(has('run-memory')
      ? [{ label: 'run-memory', bench: async (s: Setting) => [await runMemoryBench(s)] }]
      : []),
    ...(has('image-ls') ? [{ label: 'image-ls', bench: async (s: Setting) => [await listBench(s)] }] : []),
    ...(has('build') ? [{ label: 'build', bench: (s: Setting) => buildBench(s, 'own') }] : []),
    ...(has('build-stock') ? [{ label: 'build-stock', bench: (s: Setting) => buildBench(s, 'stock') }] : []),
    ...(has('idle-memory') && others.length > 0 ? [memory('after that work')] : []),
    ...(has('floor') ? [{ label: 'floor', bench: floorBench }] : []),
    ...(has('start') ? [{ label: 'start', bench: startBench }] : []),
  ];
}
