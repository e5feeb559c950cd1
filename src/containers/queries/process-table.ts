import { EngineError } from '../../errors/engine-error.ts';

/** The rows of `ps` whose PID is in `pids`. The last column keeps its spaces. @throws EngineError "internal", as in Docker, without a PID column. */
export function filterProcesses(
  table: string,
  pids: ReadonlySet<number>,
): { titles: string[]; processes: string[][] } {
  const [header = '', ...rows] = table.split('\n').filter((line) => line.trim() !== '');
  const titles = header.trim().split(/\s+/);
  const pidColumn = titles.indexOf('PID');
  if (pidColumn < 0) throw new EngineError('internal', "Couldn't find PID field in ps output");
  const processes = rows
    .map((row) => splitRow(row, titles.length))
    .filter((row) => pids.has(Number(row[pidColumn])));
  return { titles, processes };
}

function splitRow(row: string, columns: number): string[] {
  const words = row.trim().split(/\s+/);
  return [...words.slice(0, columns - 1), words.slice(columns - 1).join(' ')];
}
