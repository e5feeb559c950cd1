/**
 * What is wrong with a log of lines `line 0`, `line 1`, …, which begin anew with each start. Nothing: undefined.
 *
 * @param expected `runs`: starts at most; `lines`: of each whole run; `mayLack`: the last run, or any, was ended from outside; `rotated`: the first lines may be gone.
 */
export function numberingFault(
  text: string,
  expected: { runs: number; lines: number | undefined; mayLack: boolean; rotated?: boolean },
): string | undefined {
  const lines = text.split('\n');
  // What is printed at the moment of the look, or of the end, may lack its newline.
  lines.pop();
  const first = /^line (\d+)$/.exec(lines[0] ?? '');
  let next = expected.rotated === true && first !== null ? Number(first[1]) : 0;
  let runs = 0;
  for (const [at, line] of lines.entries()) {
    if (line === 'line 0') {
      const short = expected.lines !== undefined && runs > 0 && next !== expected.lines;
      if (short && !expected.mayLack) return `run ${runs} has ${next} lines instead of ${expected.lines}`;
      runs++;
      next = 0;
    }
    if (line !== `line ${next}`)
      return `line ${at} is ${JSON.stringify(line.slice(0, 60))} where "line ${next}" was due`;
    next++;
  }
  if (runs > expected.runs) return `${runs} runs are logged, ${expected.runs} were started`;
  const incomplete = expected.lines !== undefined && !expected.mayLack && next !== expected.lines;
  return incomplete ? `the last run has ${next} lines instead of ${expected.lines}` : undefined;
}
