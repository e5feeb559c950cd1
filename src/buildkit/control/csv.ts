/** The fields of one line of comma-separated values (RFC 4180). '' has none. */
export function splitCsv(line: string): string[] {
  if (line === '') return [];
  const fields: string[] = [];
  const pattern = /(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/gy;
  for (let match = pattern.exec(line); match !== null; match = pattern.exec(line)) {
    fields.push(match[1] === undefined ? (match[2] ?? '') : match[1].replaceAll('""', '"'));
    if (pattern.lastIndex >= line.length) break;
  }
  return fields;
}
