/** Lines of cells parted by tabs, laid out as Docker's tables are: columns at least `minimum` wide, three spaces between. */
export function alignColumns(lines: readonly string[], options: { minimum?: number } = {}): string {
  const padding = 3;
  const rows = lines.map((line) => line.split('\t'));
  const widths: number[] = [];
  for (const row of rows)
    for (let index = 0; index < row.length - 1; index++)
      widths[index] = Math.max(
        widths[index] ?? options.minimum ?? 10,
        characters(row[index] ?? '') + padding,
      );
  let text = '';
  for (const row of rows) {
    for (const [index, cell] of row.entries())
      text += index === row.length - 1 ? `${cell}\n` : pad(cell, widths[index] ?? 0);
  }
  return text;
}

function pad(cell: string, to: number): string {
  return cell + ' '.repeat(Math.max(0, to - characters(cell)));
}

/** Code points: of a pair of surrogates the second one is not counted. A list has thousands of cells, so nothing is allocated. */
function characters(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length; at++) if ((text.charCodeAt(at) & 0xfc00) === 0xdc00) count--;
  return count;
}
