import { DockerfileError } from '../parser/dockerfile-error.ts';

/**
 * The fields of one line of comma-separated values; a field in double quotes may hold commas, and a doubled quote is one.
 *
 * @throws DockerfileError without a range on an empty line and on a quote in the wrong place, in the words of Go's csv reader.
 */
export function csvFields(line: string): string[] {
  if (line === '') throw new DockerfileError('EOF');
  const fields: string[] = [];
  for (let at = 0; at <= line.length; ) {
    const { field, end } = line[at] === '"' ? quotedField(line, at) : bareField(line, at);
    fields.push(field);
    at = end + 1;
  }
  return fields;
}

function bareField(line: string, start: number): { field: string; end: number } {
  const comma = line.indexOf(',', start);
  const end = comma < 0 ? line.length : comma;
  const field = line.slice(start, end);
  const mark = field.indexOf('"');
  if (mark >= 0) throw misplaced(start + mark, 'bare " in non-quoted-field');
  return { field, end };
}

function quotedField(line: string, start: number): { field: string; end: number } {
  const parts: string[] = [];
  let from = start + 1;
  for (;;) {
    const mark = line.indexOf('"', from);
    if (mark < 0) throw misplaced(from, 'extraneous or missing " in quoted-field');
    parts.push(line.slice(from, mark));
    const next = line[mark + 1];
    if (next === undefined || next === ',') return { field: parts.join(''), end: mark + 1 };
    if (next !== '"') throw misplaced(mark, 'extraneous or missing " in quoted-field');
    parts.push('"');
    from = mark + 2;
  }
}

function misplaced(at: number, fault: string): DockerfileError {
  return new DockerfileError(`parse error on line 1, column ${at + 1}: ${fault}`);
}
