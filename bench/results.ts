import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { BenchRow } from './bench-row.ts';
import { findProgram } from './run-command.ts';
import type { Setting } from './setting.ts';
import { summarize } from './statistics.ts';

/** One bench's outcome on a terminal's line. */
export function formatRow(row: BenchRow): string {
  const note = row.note === undefined ? '' : `\n  (${row.note})`;
  const { ours, theirs, ratio, goal } = cells(row);
  const other = theirs === '' ? '' : `   ${row.otherName} ${theirs}   ratio ${ratio}`;
  return `${row.what}\n  Sampan ${ours}${other}${goal === '' ? '' : `   goal ${goal}`}${note}`;
}

/** The whole as a page. */
export async function formatResults(
  setting: Setting,
  outcome: { rows: readonly BenchRow[]; problems: readonly string[] },
): Promise<string> {
  const table = outcome.rows.map((row) => {
    const { ours, theirs, ratio, goal } = cells(row);
    const other = theirs === '' || row.otherName === 'Docker' ? theirs : `${row.otherName}: ${theirs}`;
    return `| ${row.what} | ${ours} | ${other} | ${ratio} | ${goal} |`;
  });
  const notes = outcome.rows.flatMap(({ what, note }) =>
    note === undefined ? [] : [`- ${what}: ${note} MB`],
  );
  return [
    '# Measured',
    '',
    'Medians, in brackets the smallest and the largest figure. The two sides do the same work in turn (A B A B …) after a warm-up.',
    'Pull and removal are timed over the API, `run` from the shell. Memory is the proportional set size with the program itself counted',
    'whole, since the bench runs on the same Bun; the notes have the plain PSS too. To measure again:',
    '',
    '```sh',
    `npm run build && bench/all${setting.peer === undefined ? '' : ' --peer unix:///path/to/docker.sock'}`,
    '```',
    '',
    ...(await machine(setting)),
    '',
    `| work | Sampan | ${setting.peer === undefined ? 'compared' : 'Docker'} | ratio | goal |`,
    '|---|---|---|---|---|',
    ...table,
    '',
    ...(notes.length === 0 ? [] : [...notes, '']),
    ...(outcome.problems.length === 0
      ? []
      : ['Not measured:', '', ...outcome.problems.map((p) => `- ${p}`), '']),
  ].join('\n');
}

function cells(row: BenchRow): { ours: string; theirs: string; ratio: string; goal: string } {
  const ours = summarize(row.sampan);
  if (row.limit !== undefined) return bounded(row, row.limit);
  const goal = row.goal === undefined ? '' : `≤ ${row.goal.toFixed(2)}`;
  if (row.other === undefined) return { ours: figure(row.sampan, row.unit), theirs: '', ratio: '', goal };
  const ratio = ours.median / summarize(row.other).median;
  return {
    ours: figure(row.sampan, row.unit),
    theirs: figure(row.other, row.unit),
    ratio: ratio.toFixed(ratio < 0.1 ? 3 : 2),
    goal: goal === '' ? '' : `${goal} ${ratio <= (row.goal ?? 0) ? '✓' : '✗'}`,
  };
}

function bounded(
  row: BenchRow,
  limit: number,
): { ours: string; theirs: string; ratio: string; goal: string } {
  const met = summarize(row.sampan).median <= limit ? '✓' : '✗';
  const theirs = row.other === undefined ? '' : figure(row.other, row.unit);
  return { ours: figure(row.sampan, row.unit), theirs, ratio: '', goal: `≤ ${limit} ${row.unit} ${met}` };
}

function figure(values: readonly number[], unit: string): string {
  const { median, min, max } = summarize(values);
  const digits = median < 10 ? 1 : 0;
  return `${median.toFixed(digits)} ${unit} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}

async function machine(setting: Setting): Promise<string[]> {
  const ours = await setting.sampan.version();
  const theirs = await setting.peer?.version();
  const compiled = existsSync(join(setting.root, 'dist/sampan'));
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  return [
    `- Machine: ${cpus().length} cores, ${memory} GiB of memory, Linux ${release()}`,
    `- Sampan ${ours.version} (API ${ours.api}) on Bun ${process.versions.bun}; its client ${compiled ? 'compiled' : 'run from the sources'}`,
    ...(theirs === undefined ? [] : [`- Docker ${theirs.version} (API ${theirs.api})`]),
    `- Runtime: ${runtimeVersion()}`,
    `- ${new Date().toISOString().slice(0, 10)}`,
  ];
}

function runtimeVersion(): string {
  const program = findProgram('crun') ?? findProgram('runc');
  if (program === undefined) return 'none found';
  return execFileSync(program, ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? '?';
}
