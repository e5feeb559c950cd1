import { type Flag, zeroOf } from './flag.ts';
import { wrapText } from './wrap-text.ts';

/**
 * The flags as help lists them, sorted by name, wrapped to `columns`.
 */
export function flagUsages(flags: readonly Flag[], columns: number): string {
  const rows = flags
    .filter((flag) => flag.hidden !== true)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((flag) => ({ left: leftColumn(flag), right: flag.usage + shownDefault(flag) }));
  const width = Math.max(0, ...rows.map((row) => row.left.length)) + 3;
  return rows
    .map((row) => `${row.left.padEnd(width)}${wrapText(row.right, { indent: width, width: columns })}\n`)
    .join('');
}

function leftColumn(flag: Flag): string {
  const names = flag.short === undefined ? `      --${flag.name}` : `  -${flag.short}, --${flag.name}`;
  const type = flag.typeName ?? (flag.kind === 'bool' ? '' : flag.kind);
  return type === '' ? names : `${names} ${type}`;
}

function shownDefault(flag: Flag): string {
  if (flag.shownDefault !== undefined)
    return flag.shownDefault === '' ? '' : ` (default ${flag.shownDefault})`;
  if (flag.kind === 'duration') return ` (default ${flag.default ?? '0s'})`;
  if (flag.default === undefined || flag.default === zeroOf(flag.kind)) return '';
  return ` (default ${flag.kind === 'string' ? JSON.stringify(flag.default) : flag.default})`;
}
