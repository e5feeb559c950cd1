import type { BuildErrorJson } from '../../../wire/build.ts';
import { printable } from '../../output/printable.ts';
import type { BuildView } from './build-view.ts';

const AROUND = 2;
const RULE = '--------------------';

/** What a failed build shows below its progress: the step's output, and the Dockerfile's lines with a pointer at those that failed. */
export function errorText(
  error: BuildErrorJson,
  view: BuildView,
  dockerfile: { name: string; text: string | undefined },
): string {
  const failed = [...view.vertexes.values()].find(
    ({ vertex }) => vertex.error !== undefined && vertex.error !== 'context canceled',
  );
  const output =
    failed === undefined
      ? ''
      : `------\n > ${printable(failed.vertex.name)}:\n${failed.tail.map((line) => `${printable(line)}\n`).join('')}------\n`;
  return `${output}${excerpt(error, dockerfile)}`;
}

function excerpt(
  { lines }: BuildErrorJson,
  { name, text }: { name: string; text: string | undefined },
): string {
  if (lines === undefined || text === undefined || lines.start < 1) return '';
  const all = text.split('\n');
  const from = Math.max(1, lines.start - AROUND);
  const to = Math.min(all.length, lines.end + AROUND);
  const rows = all.slice(from - 1, to).map((line, at) => {
    const number = from + at;
    const mark = number >= lines.start && number <= lines.end ? '>>>' : '   ';
    return `${String(number).padStart(4)} | ${mark} ${printable(line.replace(/\r$/, ''))}\n`;
  });
  const place = lines.start === lines.end ? `${lines.start}` : `${lines.start}-${lines.end}`;
  return `${name}:${place}\n${RULE}\n${rows.join('')}${RULE}\n`;
}

/** The warnings' list, as buildx has it. */
export function warningsText(view: BuildView): string {
  const count = view.warnings.length;
  if (count === 0) return '';
  const lines = view.warnings.map(
    ({ short }) => ` - ${printable(Buffer.from(short, 'base64').toString())}\n`,
  );
  return `\n ${count} warning${count === 1 ? '' : 's'} found:\n${lines.join('')}`;
}
