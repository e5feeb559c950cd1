/** Go's `%q` of a string, for history entries. */
export function goQuote(text: string): string {
  const inner = [...text].map(quoteRune).join('');
  return `"${inner}"`;
}

const SHORT: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '"': '\\"',
  '\\': '\\\\',
};

function quoteRune(rune: string): string {
  const short = SHORT[rune];
  if (short !== undefined) return short;
  const code = rune.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (/\p{C}|[\p{Z}--\x20]/v.test(rune))
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  return rune;
}

/** Go's `%q` of a list: `["a" "b"]`. */
export function goQuoteList(list: readonly string[]): string {
  return `[${list.map(goQuote).join(' ')}]`;
}

/** Go's `%v` of a list: `[a b]`. */
export function goList(list: readonly string[]): string {
  return `[${list.join(' ')}]`;
}

/** Go's `%q` of a small number: as the rune of that code. */
export function goQuoteNumber(value: number): string {
  const rune = String.fromCodePoint(value);
  return rune === "'" ? "'\\''" : rune === '"' ? `'"'` : `'${quoteRune(rune)}'`;
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
  const rest = (value % unit).toString().padStart(unit.toString().length - 1, '0').replace(/0+$/, '');
  return rest === '' ? String(value / unit) : `${value / unit}.${rest}`;
}
