import { ExitError } from '../cli-error.ts';
import type { Flag } from '../flags/flag.ts';
import { alignColumns } from './align-columns.ts';
import { Template } from './template/template.ts';
import { TemplateError } from './template/template-error.ts';
import { Struct } from './template/value.ts';

export const LIST_FORMAT_FLAG: Flag = {
  name: 'format',
  kind: 'string',
  usage:
    "Format the output by a template:\n'table':            As a table with column headers (default)\n" +
    "'table TEMPLATE':   As a table of the given Go template\n'json':             As JSON\n" +
    "'TEMPLATE':         By the given Go template.\n" +
    'https://docs.docker.com/go/formatting/ tells more of templates',
};

export interface ListFormat {
  /** `--format`: empty, `table`, `table …`, `json`, `raw` or a template. */
  format: string;
  /** The template behind `table` and the empty format, without the word `table`. */
  table: string;
  /** Column headers by field; a field without one heads its column with itself. */
  headers: Readonly<Record<string, string>>;
  /** What an error of the template begins with, `template parsing error` by default. */
  errors?: { parse: string; execute: string };
}

const PLAIN_ERRORS = { parse: 'template parsing error', execute: 'template parsing error' };

/** Rows as `--format` says. @throws ExitError in Docker's words when the template is wrong. */
export function formatList(
  rows: readonly Struct[],
  { format, table, headers, errors = PLAIN_ERRORS }: ListFormat,
): string {
  const isTable = format === '' || format.startsWith('table');
  const given = format === '' || format === 'table' ? table : isTable ? format.slice('table'.length) : format;
  const source =
    format === 'json'
      ? '{{json .}}'
      : given
          .replace(/^ +| +$/g, '')
          .replaceAll('\\t', '\t')
          .replaceAll('\\n', '\n');
  const template = parse(source, errors.parse);
  const lines = rows.map((row) => render(template, row, errors.execute));
  if (!isTable) return lines.map((line) => `${line}\n`).join('');
  return alignColumns([render(template, headerRow(headers), errors.execute), ...lines]);
}

/** What stands in a template's fields when the headers are printed. */
function headerRow(headers: Readonly<Record<string, string>>): Struct {
  const fields = Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, () => text]));
  return new Struct('map[string]string', fields, {
    Label: (name) => {
      const label = String(name);
      return label.slice(label.lastIndexOf('.') + 1).replaceAll(/[-_]/g, ' ');
    },
  });
}

function parse(source: string, failure: string): Template {
  try {
    return new Template(source);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new ExitError(1, `${failure}: ${error.message}`);
  }
}

function render(template: Template, row: Struct, failure: string): string {
  try {
    return template.execute(row);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new ExitError(1, `${failure}: ${error.message}`);
  }
}
