/** Columns with `gap` blanks between them; the last is not filled up. Each row ends its line. As Go's tabwriter makes it. */
export function textTable(rows: readonly (readonly string[])[], gap = 3): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [at, cell] of row.slice(0, -1).entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  return rows
    .map((row) => {
      const cells = row.map((cell, at) =>
        at === row.length - 1 ? cell : cell.padEnd((widths[at] ?? 0) + gap),
      );
      return `${cells.join('')}\n`;
    })
    .join('');
}
