import { parseBool } from '../../text/parse-bool.ts';
import { parseByteSize } from '../../wire/byte-size.ts';
import { parseDuration } from '../../wire/time.ts';
import { parseCpus } from './cpus.ts';
import type { FlagKind } from './flag.ts';

/** Why `value` is none of `kind`, in the words of Go's parsers; undefined when it is one. */
export function refusalOf(kind: FlagKind, value: string): string | undefined {
  switch (kind) {
    case 'bool':
      return parseBool(value) === undefined ? syntax('ParseBool', value) : undefined;
    case 'int':
      return refuseInteger(value, { call: 'ParseInt', min: -(1n << 63n), max: (1n << 63n) - 1n });
    case 'uint16':
      return refuseInteger(value, { call: 'ParseUint', min: 0n, max: 65535n });
    case 'duration':
      if (parseDuration(value) !== undefined) return undefined;
      return /^[+-]?\d+(\.\d+)?$/.test(value)
        ? `time: missing unit in duration ${JSON.stringify(value)}`
        : `time: invalid duration ${JSON.stringify(value)}`;
    case 'bytes': {
      const size = parseByteSize(value);
      return typeof size === 'string' ? size : undefined;
    }
    case 'decimal': {
      const cpus = parseCpus(value);
      return typeof cpus === 'string' ? cpus : undefined;
    }
    case 'string':
    case 'list':
    case 'strings':
    case 'map':
      return undefined;
  }
}

function refuseInteger(
  value: string,
  { call, min, max }: { call: string; min: bigint; max: bigint },
): string | undefined {
  const number = parseInteger(value);
  if (number === undefined) return syntax(call, value);
  return number < min || number > max
    ? `strconv.${call}: parsing ${JSON.stringify(value)}: value out of range`
    : undefined;
}

/** Go's integers with base prefix: `10`, `0x1f`, `0o17`, `017`, `0b1`. */
export function parseInteger(text: string): bigint | undefined {
  const match = /^([+-]?)(0x[0-9a-f]+|0o[0-7]+|0b[01]+|0[0-7]*|[1-9]\d*)$/i.exec(text);
  if (match === null) return undefined;
  const body = (match[2] ?? '').replace(/^0(?=[0-7])/, '0o');
  const value = BigInt(body);
  return match[1] === '-' ? -value : value;
}

function syntax(call: string, value: string): string {
  return `strconv.${call}: parsing ${JSON.stringify(value)}: invalid syntax`;
}
