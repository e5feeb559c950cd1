import { EngineError } from '../errors/engine-error.ts';

const SECOND = 1_000_000_000n;
/** Go's zero time: "never" in every time field of the API. */
export const ZERO_TIME = '0001-01-01T00:00:00Z';

/** RFC 3339 in UTC with up to nine digits, trailing zeros cut, as Go's RFC3339Nano. 0n is Go's zero time. */
export function formatTime(nano: bigint): string {
  if (nano === 0n) return ZERO_TIME;
  const { seconds, rest } = split(nano);
  const whole = isoSeconds(seconds);
  if (rest === 0n) return `${whole}Z`;
  return `${whole}.${rest.toString().padStart(9, '0').replace(/0+$/, '')}Z`;
}

/** RFC 3339 in UTC with exactly nine digits: the time stamps of `logs --timestamps`. */
export function formatTimeFixed(nano: bigint): string {
  return fixedTimeFormatter()(nano);
}

/** As formatTimeFixed, for many times in a row: those within one second cost little. */
export function fixedTimeFormatter(): (nano: bigint) => string {
  let from = 0n;
  let to = 0n;
  let whole = '';
  return (nano) => {
    if (nano < from || nano >= to) {
      const { seconds } = split(nano);
      from = seconds * SECOND;
      to = from + SECOND;
      whole = isoSeconds(seconds);
    }
    return `${whole}.${String(Number(nano - from)).padStart(9, '0')}Z`;
  };
}

function split(nano: bigint): { seconds: bigint; rest: bigint } {
  const rest = ((nano % SECOND) + SECOND) % SECOND;
  return { seconds: (nano - rest) / SECOND, rest };
}

function isoSeconds(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString().slice(0, -'.000Z'.length);
}

const RFC3339 =
  /^(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:[.,](\d{1,9})\d*)?(?:([Zz])|([+-])(\d{2}):(\d{2}))$/;

/** Nanoseconds since 1970 of an RFC 3339 time; Go's zero time is 0n; undefined when `text` is none. */
export function parseTime(text: string): bigint | undefined {
  if (text === ZERO_TIME) return 0n;
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [, date, time, fraction = '', , sign, hours = '0', minutes = '0'] = match;
  const ms = Date.parse(`${date}T${time}Z`);
  if (Number.isNaN(ms)) return undefined;
  const offset = BigInt(Number(hours) * 3600 + Number(minutes) * 60) * (sign === '-' ? -1n : 1n);
  return (BigInt(ms) / 1000n - offset) * SECOND + BigInt(fraction.padEnd(9, '0'));
}

const UNIT_NANOS: Record<string, bigint> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: SECOND,
  m: 60n * SECOND,
  h: 3600n * SECOND,
};

/** Go's `time.ParseDuration`: `1h30m`, `1.5s`, `-10ms`, `0`; nanoseconds, or undefined when `text` is no duration. */
export function parseDuration(text: string): bigint | undefined {
  const match = /^([+-]?)(.+)$/.exec(text);
  if (match === null || text.length > 64) return undefined;
  const [, sign, body = ''] = match;
  if (body === '0') return 0n;
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(body)) return undefined;
  let total = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of body.matchAll(
    /(\d*)\.?(\d*)(ns|us|µs|μs|ms|s|m|h)/g,
  )) {
    const scale = UNIT_NANOS[unit] ?? 0n;
    total += BigInt(whole || '0') * scale;
    if (fraction !== '') total += (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length);
  }
  if (total >= 1n << 63n) return undefined;
  return sign === '-' ? -total : total;
}

/** Go's `Duration.String`: `1h30m0s`, `1.5s`, `250ms`, `0s`. */
export function formatDuration(nano: bigint): string {
  if (nano < 0n) return `-${formatDuration(-nano)}`;
  if (nano === 0n) return '0s';
  if (nano < 1000n) return `${nano}ns`;
  if (nano < 1_000_000n) return `${decimal(nano, 1000n)}µs`;
  if (nano < SECOND) return `${decimal(nano, 1_000_000n)}ms`;
  const hours = nano / (3600n * SECOND);
  const minutes = (nano / (60n * SECOND)) % 60n;
  const seconds = decimal(nano % (60n * SECOND), SECOND);
  if (hours > 0n) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0n ? `${minutes}m${seconds}s` : `${seconds}s`;
}

function decimal(value: bigint, unit: bigint): string {
  const rest = value % unit;
  if (rest === 0n) return (value / unit).toString();
  const digits = unit.toString().length - 1;
  return `${value / unit}.${rest.toString().padStart(digits, '0').replace(/0+$/, '')}`;
}

/**
 * A `since` or `until` as users and clients write it: unix seconds with up to nine decimals, RFC 3339 with or without zone (without:
 * the local one) and with or without time of day, or a Go duration, which counts back from now.
 *
 * @throws EngineError "invalid" on anything else.
 */
export function parseTimeParameter(text: string, nowNano: bigint = now()): bigint {
  const unix = /^(-?)(\d{1,12})(?:\.(\d{1,9})\d*)?$/.exec(text);
  if (unix !== null) {
    const nano = BigInt(unix[2] ?? '0') * SECOND + BigInt((unix[3] ?? '').padEnd(9, '0'));
    return unix[1] === '-' ? -nano : nano;
  }
  const duration = parseDuration(text);
  if (duration !== undefined) return nowNano - duration;
  const absolute = parseTime(text) ?? parseLocalTime(text);
  if (absolute === undefined)
    throw new EngineError('invalid', `failed to parse value as time or duration: ${JSON.stringify(text)}`);
  return absolute;
}

const LOCAL_TIME = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9})\d*)?)?|(Z))?$/;

function parseLocalTime(text: string): bigint | undefined {
  const match = LOCAL_TIME.exec(text);
  if (match === null) return undefined;
  if (match[8] !== undefined) return parseTime(text.replace('Z', 'T00:00:00Z'));
  const part = (index: number) => Number(match[index] ?? '0');
  const ms = new Date(part(1), part(2) - 1, part(3), part(4), part(5), part(6)).getTime();
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n + BigInt((match[7] ?? '').padEnd(9, '0'));
}

/** The wall clock, in nanoseconds with millisecond truth. */
function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** `1700000000.123456789`, the form in which clients send times. */
export function formatUnixTime(nano: bigint): string {
  const { seconds, rest } = split(nano);
  return `${seconds}.${rest.toString().padStart(9, '0')}`;
}
