import { CHECK_STATES, type CheckState, type DoctorCheck, type DoctorReport } from '../../wire/doctor.ts';
import { printable } from './printable.ts';
import { STYLES, styled } from './styles.ts';

const COLUMNS = 100;
const STATE_COLUMN = 9;
const COLORS: Record<CheckState, string> = {
  ok: STYLES.green,
  note: STYLES.blue,
  warning: STYLES.lightYellow,
  failure: STYLES.red,
};

/** The report for a terminal of 100 columns: a line or more for each check, then how many there are of each state. */
export function doctorText(report: DoctorReport, { color }: { color: boolean }): string {
  const { EngineVersion, OperatingSystem, KernelVersion, Architecture, Running, Checks } = report;
  const machine = `${OperatingSystem}, kernel ${KernelVersion}, ${Architecture}`;
  const head = `Sampan ${EngineVersion} on ${machine}${Running ? '' : '; no daemon was asked'}`;
  const nameColumn = Math.max(...Checks.map(({ Name }) => Name.length), 0) + 2;
  const rows = Checks.map((check) => checkText(check, { nameColumn, color }));
  return `${wrapped(printable(head), COLUMNS).join('\n')}\n\n${rows.join('')}\n${summary(Checks)}\n`;
}

function checkText(
  { Name, Subject, State, Found, Details, Cost, Advice, Command }: DoctorCheck,
  { nameColumn, color }: { nameColumn: number; color: boolean },
): string {
  const indent = STATE_COLUMN + nameColumn;
  const width = COLUMNS - indent;
  const lines = [
    ...wrapped(printable(Subject === '' ? Found : `${Subject}  ${Found}`), width),
    ...Details.flatMap((detail) => hanging(printable(detail), '- ', width)),
    ...(Cost === '' ? [] : hanging(`costs: ${printable(Cost)}`, '', width)),
    ...(Advice === '' ? [] : hanging(`better: ${printable(Advice)}`, '', width)),
    ...(Command === '' ? [] : commandLines(`$ ${printable(Command)}`, width)),
  ];
  const state = color ? styled(COLORS[State], State) : State;
  const first = `${state}${' '.repeat(STATE_COLUMN - State.length)}${Name.padEnd(nameColumn)}`;
  return lines.map((line, at) => `${at === 0 ? first : ' '.repeat(indent)}${line}\n`).join('');
}

function hanging(text: string, head: string, width: number): string[] {
  const lines = wrapped(text, width - head.length - 2);
  return lines.map((line, at) => `${at === 0 ? head : `  ${' '.repeat(head.length)}`}${line}`);
}

/** Can be copied as it stands: a shell joins its lines. Nothing is cut within quotes. */
function commandLines(command: string, width: number): string[] {
  const words = command.match(/(?:'[^']*'|"[^"]*"|\$\([^)]*\)|\S)+/g) ?? [];
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length + 3 <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(last === undefined ? word : `    ${word}`);
  }
  return lines.map((line, at) => (at < lines.length - 1 ? `${line} \\` : line));
}

/** At blanks; a word that is longer than a line is cut. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text.trim();
  while (rest.length > width) {
    const blank = rest.lastIndexOf(' ', width);
    const end = blank > 0 ? blank : width;
    lines.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  return [...lines, rest];
}

function summary(checks: readonly DoctorCheck[]): string {
  const counts = CHECK_STATES.toReversed().flatMap((state) => {
    const count = checks.filter(({ State }) => State === state).length;
    if (count === 0) return [];
    const word = state === 'ok' ? 'ok' : `${state}${count === 1 ? '' : 's'}`;
    return [`${count} ${word}`];
  });
  return counts.join(', ');
}
