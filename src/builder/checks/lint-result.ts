import type { DockerfileLines } from '../build-error.ts';
import type { CheckWarning } from './check-report.ts';

/** Beyond this the text only says how many more there are: each shows lines of the file, and both may be long. */
const MAX_TEXT = 1 << 20;

/** Clients take messages of 16 MiB. */
const MAX_JSON = 15 << 20;

export interface LintedDockerfile {
  name: string;
  text: Uint8Array;
}

/** What ended the look at it. */
export interface LintFailure {
  message: string;
  lines: DockerfileLines | undefined;
}

/** The answer to `frontend.lint`, by the names of a result's metadata: what `docker build --check` prints. */
export function lintResult(
  warnings: readonly CheckWarning[],
  { name, text }: LintedDockerfile,
  failure: LintFailure | undefined,
): Record<string, string> {
  const result = {
    warnings: warnings.map(({ rule, description, url, detail, range }) => ({
      ruleName: rule,
      description,
      ...(url === '' ? {} : { url }),
      detail,
      location: locationOf({ start: range.startLine, end: range.endLine }),
    })),
    sources: [sourceOf(name, Buffer.from(text).toString('base64'))],
    ...(failure === undefined
      ? {}
      : { buildError: { message: failure.message, location: locationOf(failure.lines) } }),
  };
  const json = JSON.stringify(result, undefined, 2);
  return {
    'result.json':
      json.length <= MAX_JSON
        ? json
        : JSON.stringify({ ...result, sources: [sourceOf(name, '')] }, undefined, 2),
    'result.txt': textOf(warnings, name, new TextDecoder().decode(text).split('\n')),
    'result.statuscode': warnings.length > 0 || failure !== undefined ? '1' : '0',
    version: '1.0.0',
  };
}

function sourceOf(filename: string, data: string): object {
  return { filename, data, language: 'Dockerfile' };
}

function locationOf(lines: DockerfileLines | undefined): object {
  if (lines === undefined) return { sourceIndex: -1 };
  return { ranges: [{ start: { line: lines.start }, end: { line: lines.end } }] };
}

function textOf(warnings: readonly CheckWarning[], name: string, all: readonly string[]): string {
  let text = '';
  for (const [at, { rule, url, detail, range }] of warnings.entries()) {
    const more = `\nWARNING: ${rule}${url === '' ? '' : ` - ${url}`}\n${detail}\n${sourceLines(name, all, range)}`;
    if (text.length + more.length > MAX_TEXT) return `${text}\n${warnings.length - at} more warnings\n`;
    text += more;
  }
  return text;
}

/** The lines with some around them, those meant marked: as BuildKit prints a place in a Dockerfile. */
function sourceLines(
  name: string,
  all: readonly string[],
  { startLine: start, endLine: end }: CheckWarning['range'],
): string {
  if (start < 1 || start > all.length) return '';
  const last = Math.min(end, all.length);
  const padding = last === start ? 2 : 1;
  const [from, to] = [Math.max(1, start - padding), Math.min(all.length, last + padding)];
  const lines = all.slice(from - 1, to).map((line, at) => {
    const number = from + at;
    const mark = number >= start && number <= last ? '>>>' : '   ';
    return `${String(number).padStart(4)} | ${mark} ${line}\n`;
  });
  return `${name}:${start}\n--------------------\n${lines.join('')}--------------------\n`;
}
