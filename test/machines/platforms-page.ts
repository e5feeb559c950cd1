import type { PlatformResults, StepResult } from './machine-results.ts';

export interface PageColumn {
  title: string;
  results: PlatformResults;
}

/** Cells whose names begin so are milliseconds; the page shows ratios. */
const TIME = 'ms:';

/**
 * docs/platforms.md: a column for each machine, the first being what times are compared with. Rows are in the order in which
 * the steps found them.
 */
export function renderPlatformsPage(columns: readonly PageColumn[], steps: readonly string[]): string {
  const cells = columns.map(({ results }) =>
    Object.assign({}, ...Object.values(results).map((step) => step.cells)),
  );
  const rows = [...new Set(cells.flatMap((found) => Object.keys(found)))];
  const plain = rows.filter((row) => !row.startsWith(TIME));
  const timed = rows.filter((row) => row.startsWith(TIME));
  return [
    HEAD,
    table(
      columns,
      plain.map((row) => [row, ...cells.map((found) => found[row] ?? 'not run')]),
    ),
    STEPS_HEAD,
    table(
      columns,
      steps.map((step) => [step, ...columns.map(({ results }) => stateOf(results[step]))]),
    ),
    timesHead(columns[0]?.title ?? ''),
    table(
      columns,
      timed.map((row) => [`\`${row.slice(TIME.length)}\``, ...ratios(cells.map((found) => found[row]))]),
    ),
    ...powerCuts(columns),
    PROBLEMS_HEAD,
    problems(columns),
    REPEAT,
  ]
    .join('\n\n')
    .concat('\n');
}

const HEAD = `# Platforms

Written by \`npm run machines\`, which boots machines of Debian's own kernels, with systemd as process 1 and cgroup v2 only, and runs the engine in each. Change nothing here by hand.`;

const STEPS_HEAD = `## What was run

By step: what came of it, and the engine's commit.`;

function stateOf(step: StepResult | undefined): string {
  if (step === undefined) return 'not run';
  const { length } = step.problems;
  const word = length > 0 ? `${length} ${length === 1 ? 'problem' : 'problems'}` : 'passed';
  return `${step.unfinished === true ? 'not finished' : word} (${step.commit.slice(0, 7)})`;
}

const timesHead = (first: string): string => `## Times

As ratios to ${first}: the same work on the same processors, medians; below 1 is faster. The pull is of an image of some thousand files from a registry beside the engine.`;

const cutsHead = (title: string): string => `## Power cuts of ${title}

The machine is stopped as by a pulled plug, at a random moment while it pulls, builds and runs over and over. After each boot: the engine starts by itself, what is to run always runs, images and volumes from before have the bytes they had, each listed image and each blob is whole, what the engine had answered for is there.`;

const PROBLEMS_HEAD = '## What did not work';

const REPEAT = `## To repeat it

\`\`\`sh
sudo npm run machines                                     # all; what has passed with this very commit is passed over
sudo npm run machines -- --machine debian-13 --again      # one of them, from the start
sudo npm run machines -- --machine debian-13 --step tour  # one step of it, after \`npm start\`
\`\`\``;

function table(columns: readonly PageColumn[], rows: readonly (readonly string[])[]): string {
  return textTable(['', ...columns.map(({ title }) => title)], rows);
}

function textTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (texts: readonly string[]) => `| ${texts.map(escapeCell).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function ratios(times: readonly (string | undefined)[]): string[] {
  const first = Number(times[0]);
  return times.map((time) =>
    time === undefined || !(first > 0) ? 'not run' : (Number(time) / first).toFixed(2),
  );
}

function powerCuts(columns: readonly PageColumn[]): string[] {
  return columns.flatMap(({ title, results }) => {
    const cuts = Object.values(results).flatMap((step) => step.cuts ?? []);
    if (cuts.length === 0) return [];
    const rows = cuts.map((cut, index) => [
      String(index + 1),
      cut.commit.slice(0, 7),
      cut.seconds,
      cut.seen,
      cut.problems.map((problem) => problem.split('\n')[0]).join('; ') || 'nothing lost, nothing half there',
    ]);
    return [
      cutsHead(title),
      textTable(['Cut', 'Commit', 'Seconds of work', 'There after the boot', 'Found'], rows),
    ];
  });
}

function problems(columns: readonly PageColumn[]): string {
  const lines = columns.flatMap(({ title, results }) =>
    Object.values(results).flatMap((step) =>
      step.problems.map((problem) => `- ${title}: ${problem.split('\n')[0]}`),
    ),
  );
  return lines.length === 0 ? 'Nothing.' : lines.join('\n');
}
