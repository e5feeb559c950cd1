/** Lines of cells parted by tabs, laid out as Docker's tables are: columns at least `minimum` wide, three spaces between. */
export function alignColumns(lines: readonly string[], options: { minimum?: number } = {}): string {
  const padding = 3;
  const rows = lines.map((line) => line.split('\t'));
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.slice(0, -1).entries())
      widths[index] = Math.max(widths[index] ?? options.minimum ?? 10, width(cell) + padding);
  return rows
    .map(
      (row) =>
        `${row.map((cell, index) => (index === row.length - 1 ? cell : pad(cell, widths[index] ?? 0))).join('')}\n`,
    )
    .join('');
}

function pad(cell: string, to: number): string {
  return cell + ' '.repeat(Math.max(0, to - width(cell)));
}

function width(text: string): number {
  return Array.from(text).length;
}
