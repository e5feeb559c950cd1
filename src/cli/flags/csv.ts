/** One line of comma-separated values with double quotes, as Go's csv reader takes `--mount` apart. */
export function parseCsv(line: string): string[] {
  const fields: string[] = [];
  let at = 0;
  while (at <= line.length) {
    if (line[at] === '"') {
      const { text, end } = quoted(line, at + 1);
      fields.push(text);
      at = end + 1;
      continue;
    }
    const comma = line.indexOf(',', at);
    const end = comma < 0 ? line.length : comma;
    fields.push(line.slice(at, end));
    at = end + 1;
  }
  return fields;
}

function quoted(line: string, start: number): { text: string; end: number } {
  let text = '';
  for (let at = start; at < line.length; at++) {
    if (line[at] !== '"') text += line[at];
    else if (line[at + 1] === '"') {
      text += '"';
      at++;
    } else {
      const comma = line.indexOf(',', at);
      return {
        text: text + line.slice(at + 1, comma < 0 ? undefined : comma),
        end: comma < 0 ? line.length : comma,
      };
    }
  }
  return { text, end: line.length };
}
