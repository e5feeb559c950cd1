import { type Flag, zeroOf } from './flag.ts';
import { wrapText } from './wrap-text.ts';

/**
 * The flags as help lists them, sorted by name, wrapped to `columns`.
 */
export function flagUsages(flags: readonly Flag[], columns: number): string {
  const rows = flags
    .filter((flag) => flag.hidden !== true)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((flag) => ({ left: leftColumn(flag), right: flag.usage + flagDefault(flag) }));
  const width = Math.max(0, ...rows.map((row) => row.left.length)) + 3;
  return rows
    .map((row) => `${row.left.padEnd(width)}${wrapText(row.right, { indent: width, width: columns })}\n`)
    .join('');
}

function leftColumn(flag: Flag): string {
  const { names, type } = flagNames(flag);
  const left = `${flag.short === undefined ? '      ' : '  '}${names.join(', ')}`;
  return type === '' ? left : `${left} ${type}`;
}

/** `-n` and `--last`, and the name of what it takes; '' where that is nothing. */
export function flagNames({ name, short, kind, typeName }: Flag): { names: string[]; type: string } {
  return {
    names: [...(short === undefined ? [] : [`-${short}`]), `--${name}`],
    type: typeName ?? (kind === 'bool' ? '' : kind),
  };
}

/** ` (default 5)`, or ''. */
export function flagDefault(flag: Flag): string {
  if (flag.shownDefault !== undefined)
    return flag.shownDefault === '' ? '' : ` (default ${flag.shownDefault})`;
  if (flag.kind === 'duration') return ` (default ${flag.default ?? '0s'})`;
  if (flag.default === undefined || flag.default === zeroOf(flag.kind)) return '';
  return ` (default ${flag.kind === 'string' ? JSON.stringify(flag.default) : flag.default})`;
}
