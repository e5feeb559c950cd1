import { EngineError } from '../../../../errors/engine-error.ts';
import { parseDuration } from '../../../../wire/time.ts';
import type { ParsedFlags } from '../../../flags/flag-set.ts';

export interface HealthcheckRequest {
  Test?: string[];
  Interval?: bigint;
  Timeout?: bigint;
  StartPeriod?: bigint;
  StartInterval?: bigint;
  Retries?: number;
}

/** The `--health-*` flags; undefined when none was given. */
export function parseHealthcheck(flags: ParsedFlags): HealthcheckRequest | undefined {
  const duration = (name: string) => parseDuration(flags.string(name)) ?? 0n;
  const command = flags.string('health-cmd');
  const times = {
    Interval: duration('health-interval'),
    Timeout: duration('health-timeout'),
    StartPeriod: duration('health-start-period'),
    StartInterval: duration('health-start-interval'),
  };
  const retries = flags.int('health-retries');
  const given = command !== '' || retries !== 0 || Object.values(times).some((time) => time !== 0n);
  if (flags.bool('no-healthcheck')) {
    if (given) throw new EngineError('invalid', '--no-healthcheck conflicts with --health-* options');
    return { Test: ['NONE'] };
  }
  if (!given) return undefined;
  for (const [name, time] of Object.entries(times))
    if (time < 0n) throw new EngineError('invalid', `--health-${kebab(name)} cannot be negative`);
  if (retries < 0) throw new EngineError('invalid', '--health-retries cannot be negative');
  return {
    ...(command === '' ? {} : { Test: ['CMD-SHELL', command] }),
    ...Object.fromEntries(Object.entries(times).filter(([, time]) => time !== 0n)),
    ...(retries === 0 ? {} : { Retries: retries }),
  };
}

/** `--health-on-failure`, which Docker hasn't got. */
export function parseHealthAction(flags: ParsedFlags): { HealthOnFailure?: string } {
  const action = flags.string('health-on-failure');
  if (!/^(?:none|kill|restart|stop)?$/.test(action))
    throw new EngineError(
      'invalid',
      `invalid --health-on-failure: '${action}': must be one of "none", "kill", "restart" or "stop"`,
    );
  return action === '' || action === 'none' ? {} : { HealthOnFailure: action };
}

function kebab(name: string): string {
  return name.replace(/(?<!^)[A-Z]/g, '-$&').toLowerCase();
}
