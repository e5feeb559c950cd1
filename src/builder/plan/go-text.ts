import { quote } from '../../wire/quote.ts';

/** Go's `%q` of a list: `["a" "b"]`. */
export function goQuoteList(list: readonly string[]): string {
  return `[${list.map(quote).join(' ')}]`;
}

/** Go's `%v` of a list: `[a b]`. */
export function goList(list: readonly string[]): string {
  return `[${list.join(' ')}]`;
}

/** Go's `%q` of a small number: as the rune of that code. */
export function goQuoteNumber(value: number): string {
  const rune = String.fromCodePoint(value);
  return rune === '"' ? `'"'` : rune === "'" ? String.raw`'\''` : `'${quote(rune).slice(1, -1)}'`;
}

/** Go's `Duration.String()`. */
export function goDuration(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return '0s';
  const sign = nanoseconds < 0n ? '-' : '';
  const total = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  if (total < 1000n) return `${sign}${total}ns`;
  if (total < 1_000_000n) return `${sign}${fraction(total, 1000n)}µs`;
  if (total < 1_000_000_000n) return `${sign}${fraction(total, 1_000_000n)}ms`;
  const seconds = total % 60_000_000_000n;
  const minutes = total / 60_000_000_000n;
  const tail = `${fraction(seconds, 1_000_000_000n)}s`;
  if (minutes === 0n) return `${sign}${tail}`;
  const hours = minutes / 60n;
  return `${sign}${hours === 0n ? '' : `${hours}h`}${minutes % 60n}m${tail}`;
}

function fraction(value: bigint, unit: bigint): string {
  const rest = (value % unit)
    .toString()
    .padStart(unit.toString().length - 1, '0')
    .replace(/0+$/, '');
  return rest === '' ? String(value / unit) : `${value / unit}.${rest}`;
}
