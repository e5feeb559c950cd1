import type { BuildDockerfile, BuildWarning } from '../../builder/build-progress.ts';

const encoder = new TextEncoder();

/** The answer to `frontend.lint`, by the names of a result's metadata: what `docker build --check` prints. */
export function lintResult(
  warnings: readonly BuildWarning[],
  dockerfile: BuildDockerfile | undefined,
  failure: { message: string; lines: { start: number; end: number } | undefined } | undefined,
): Record<string, Uint8Array> {
  const source = dockerfile ?? { name: 'Dockerfile', data: new Uint8Array() };
  const result = {
    warnings: warnings.map((warning) => ({
      ruleName: ruleOf(warning),
      ...(warning.detail[0] === undefined ? {} : { description: warning.detail[0] }),
      ...(warning.url === '' ? {} : { url: warning.url }),
      detail: messageOf(warning),
      location: locationOf(warning.lines),
    })),
    sources: [
      {
        filename: source.name,
        data: Buffer.from(source.data).toString('base64'),
        language: 'Dockerfile',
      },
    ],
    ...(failure === undefined
      ? {}
      : { buildError: { message: failure.message, location: locationOf(failure.lines) } }),
  };
  const hasFindings = warnings.length > 0 || failure !== undefined;
  return {
    'result.json': encoder.encode(JSON.stringify(result, undefined, 2)),
    'result.txt': encoder.encode(warnings.map((warning) => textOf(warning, source)).join('')),
    'result.statuscode': encoder.encode(hasFindings ? '1' : '0'),
    version: encoder.encode('1.0.0'),
  };
}

/** `Rule: message (line 3)` */
function ruleOf({ short }: BuildWarning): string {
  return short.slice(0, short.indexOf(':'));
}

function messageOf({ short }: BuildWarning): string {
  return short.slice(short.indexOf(':') + 2).replace(/ \(line \d+\)$/, '');
}

function locationOf(lines: { start: number; end: number } | undefined): object {
  if (lines === undefined) return { sourceIndex: -1 };
  return { ranges: [{ start: { line: lines.start }, end: { line: lines.end } }] };
}

function textOf(warning: BuildWarning, { name, data }: BuildDockerfile): string {
  const url = warning.url === '' ? '' : ` - ${warning.url}`;
  const head = `\nWARNING: ${ruleOf(warning)}${url}\n${messageOf(warning)}\n`;
  return warning.lines === undefined ? head : head + sourceLines(name, data, warning.lines);
}

/** The lines with some around them, those meant marked: as BuildKit prints a place in a Dockerfile. */
export function sourceLines(
  name: string,
  data: Uint8Array,
  { start, end }: { start: number; end: number },
): string {
  const all = new TextDecoder().decode(data).split('\n');
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
