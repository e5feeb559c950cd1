import { quote } from '../../../wire/quote.ts';
import { format, isInteger, isMap, isNumber, typeName, type Value } from './value.ts';

/** Go's `fmt.Sprintf`, as far as templates use it. */
export function sprintf(pattern: string, args: readonly Value[]): string {
  let used = 0;
  const text = pattern.replace(
    /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?([a-zA-Z%]|$)/g,
    (...groups: (string | undefined)[]) => {
      const [whole = '', flags = '', width, precision, verb = ''] = groups;
      if (verb === '%') return '%';
      if (verb === '') return '%!(NOVERB)';
      const wide = width === '*' ? Number(args[used++]) : Number(width ?? '0');
      const hasPrecision = whole.includes('.');
      const exact = precision === '*' ? Number(args[used++]) : Number(precision ?? '0');
      if (used >= args.length) return `%!${verb}(MISSING)`;
      const value = args[used++];
      return pad(
        convert({ verb, value, flags, precision: hasPrecision ? exact : undefined }),
        wide,
        flags,
        value,
      );
    },
  );
  if (used >= args.length) return text;
  const extra = args.slice(used).map((value) => `${typeName(value)}=${format(value)}`);
  return `${text}%!(EXTRA ${extra.join(', ')})`;
}

interface Conversion {
  verb: string;
  value: Value;
  flags: string;
  precision: number | undefined;
}

function convert(conversion: Conversion): string {
  const { verb, value, flags, precision } = conversion;
  switch (verb) {
    case 'v':
      return format(value);
    case 's':
      if (isNumber(value) || typeof value === 'boolean') return bad(verb, value);
      return precision === undefined ? format(value) : Array.from(format(value)).slice(0, precision).join('');
    case 'q':
      if (Array.isArray(value))
        return `[${value.map((each) => convert({ ...conversion, value: each })).join(' ')}]`;
      return typeof value === 'string' ? quote(value) : bad(verb, value);
    case 't':
      return typeof value === 'boolean' ? String(value) : bad(verb, value);
    case 'T':
      return typeName(value);
    case 'd':
    case 'b':
    case 'o':
    case 'c':
    case 'U':
      return isInteger(value) ? integer(verb, BigInt(value), flags) : bad(verb, value);
    case 'x':
    case 'X':
      return hex(verb, value, flags);
    case 'f':
    case 'F':
    case 'e':
    case 'g':
      return typeof value === 'number' && !Number.isInteger(value)
        ? signed(float(verb, value, precision), flags)
        : bad(verb, value);
    default:
      return bad(verb, value);
  }
}

function float(verb: string, value: number, precision: number | undefined): string {
  if (verb === 'f' || verb === 'F') return value.toFixed(precision ?? 6);
  const exact = precision === undefined ? value : Number(value.toPrecision(precision || 1));
  const text = verb === 'e' ? value.toExponential(precision ?? 6) : String(exact);
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

function integer(verb: string, value: bigint, flags: string): string {
  if (verb === 'c') return String.fromCodePoint(Number(value));
  if (verb === 'U') return `U+${value.toString(16).toUpperCase().padStart(4, '0')}`;
  const base = verb === 'b' ? 2 : verb === 'o' ? 8 : 10;
  return signed(value.toString(base), flags);
}

function hex(verb: string, value: Value, flags: string): string {
  let text: string;
  if (isInteger(value)) text = BigInt(value).toString(16);
  else if (typeof value === 'string')
    text = Array.from(new TextEncoder().encode(value), (byte) => byte.toString(16).padStart(2, '0')).join('');
  else return bad(verb, value);
  if (flags.includes('#')) text = `0x${text}`;
  return verb === 'X' ? text.toUpperCase() : text;
}

function signed(text: string, flags: string): string {
  if (text.startsWith('-')) return text;
  if (flags.includes('+')) return `+${text}`;
  return flags.includes(' ') ? ` ${text}` : text;
}

function pad(text: string, width: number, flags: string, value: Value): string {
  const missing = width - Array.from(text).length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (!flags.includes('0') || !isNumber(value)) return ' '.repeat(missing) + text;
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}

function bad(verb: string, value: Value): string {
  if (value === undefined || value === null) return `%!${verb}(<nil>)`;
  if (Array.isArray(value)) return `[${value.map((each) => bad(verb, each)).join(' ')}]`;
  if (isMap(value)) return format(value);
  return `%!${verb}(${typeName(value)}=${format(value)})`;
}
