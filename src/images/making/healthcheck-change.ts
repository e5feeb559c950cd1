import { EngineError } from '../../errors/engine-error.ts';
import type { Healthcheck } from '../../oci/image-config.ts';
import { jsonStrings } from './change-words.ts';

const UNITS_NS: Record<string, bigint> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const DURATIONS = {
  interval: 'intervalNs',
  timeout: 'timeoutNs',
  'start-period': 'startPeriodNs',
  'start-interval': 'startIntervalNs',
} as const;

/** `[--interval=5s …] CMD …` or `NONE`. @throws EngineError "invalid", in Docker's words. */
export function parseHealthcheck(text: string): Healthcheck {
  const check: Healthcheck = {
    test: [],
    intervalNs: 0n,
    timeoutNs: 0n,
    startPeriodNs: 0n,
    startIntervalNs: 0n,
    retries: 0,
  };
  const flags = /^(?:--\S+\s*)*/.exec(text)?.[0] ?? '';
  const rest = text.slice(flags.length);
  const [, name = '', command = ''] = /^(\S*)\s*([\s\S]*)$/.exec(rest) ?? [];
  if (name === '') throw new EngineError('invalid', 'HEALTHCHECK requires at least one argument');
  const type = name.toUpperCase();
  if (type === 'NONE') {
    if (command !== '') throw new EngineError('invalid', 'HEALTHCHECK NONE takes no arguments');
    return { ...check, test: ['NONE'] };
  }
  if (type !== 'CMD')
    throw new EngineError('invalid', `Unknown type ${JSON.stringify(type)} in HEALTHCHECK (try CMD)`);
  if (command === '') throw new EngineError('invalid', 'Missing command after HEALTHCHECK CMD');
  for (const flag of flags.split(/\s+/).filter(Boolean)) applyFlag(check, flag);
  const list = jsonStrings(command);
  return { ...check, test: list === undefined ? ['CMD-SHELL', command] : ['CMD', ...list] };
}

function applyFlag(check: Healthcheck, flag: string): void {
  const [, name = '', value = ''] = /^--([a-z-]+)=(.*)$/.exec(flag) ?? [];
  if (name === 'retries') {
    check.retries = Number(value);
    if (!/^\d+$/.test(value) || check.retries < 1 || check.retries > 0x7fff_ffff)
      throw new EngineError('invalid', `--retries must be at least 1 (not ${value})`);
    return;
  }
  if (!Object.hasOwn(DURATIONS, name))
    throw new EngineError('invalid', `unknown flag: ${flag.split('=')[0]}`);
  check[DURATIONS[name as keyof typeof DURATIONS]] = durationNs(name, value);
}

function durationNs(name: string, text: string): bigint {
  const parts = [...text.matchAll(/(\d+)(?:\.(\d{1,9}))?(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text)
    throw new EngineError('invalid', `time: invalid duration ${JSON.stringify(text)}`);
  const total = parts.reduce((sum, [, whole = '0', fraction = '', unit = 'ns']) => {
    const size = UNITS_NS[unit] ?? 0n;
    return sum + BigInt(whole) * size + (BigInt(fraction.padEnd(9, '0')) * size) / 1_000_000_000n;
  }, 0n);
  if (total !== 0n && total < 1_000_000n)
    throw new EngineError('invalid', `Interval ${JSON.stringify(name)} cannot be less than 1ms`);
  return total;
}
