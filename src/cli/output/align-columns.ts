const PADDING = 3;

/** Lines of cells parted by tabs, laid out as Docker's tables are: columns at least `minimum` wide, three spaces between. */
export function alignColumns(lines: readonly string[], options: { minimum?: number } = {}): string {
  const rows = lines.map((line) => line.split('\t'));
  // A list has thousands of cells, and is printed by a program that has just started: most are not looked through.
  const width = lines.some((line) => LOW_SURROGATE.test(line)) ? characters : lengthOf;
  const widths: number[] = [];
  for (const row of rows)
    for (let index = 0; index < row.length - 1; index++) {
      const wanted = width(row[index] ?? '') + PADDING;
      if (wanted > (widths[index] ?? options.minimum ?? 10)) widths[index] = wanted;
      else widths[index] ??= options.minimum ?? 10;
    }
  let text = '';
  for (const row of rows) {
    const last = row.length - 1;
    for (let index = 0; index < last; index++) {
      const cell = row[index] ?? '';
      text += cell.padEnd((widths[index] ?? 0) + cell.length - width(cell));
    }
    text += `${row[last] ?? ''}\n`;
  }
  return text;
}

const LOW_SURROGATE = /[\udc00-\udfff]/;

function lengthOf(text: string): number {
  return text.length;
}

/** Code points: of a pair of surrogates the second one is not counted. */
function characters(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length; at++) if ((text.charCodeAt(at) & 0xfc00) === 0xdc00) count--;
  return count;
}
