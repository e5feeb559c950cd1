import { readFileSync } from 'node:fs';
import { EngineError } from '../../errors/engine-error.ts';
import type { SpecProcess } from '../runtime-spec.ts';

type Rlimit = NonNullable<SpecProcess['rlimits']>[number];

/** Names of `--ulimit` and how /proc/self/limits calls them. */
const NAMES: Record<string, string> = {
  as: 'Max address space',
  core: 'Max core file size',
  cpu: 'Max cpu time',
  data: 'Max data size',
  fsize: 'Max file size',
  locks: 'Max file locks',
  memlock: 'Max locked memory',
  msgqueue: 'Max msgqueue size',
  nice: 'Max nice priority',
  nofile: 'Max open files',
  nproc: 'Max processes',
  rss: 'Max resident set',
  rtprio: 'Max realtime priority',
  rttime: 'Max realtime timeout',
  sigpending: 'Max pending signals',
  stack: 'Max stack size',
};

/** The kernel's RLIM_INFINITY; `-1` in Docker's API. JSON numbers can't hold it exactly: the next lower double means the same to no one. */
const INFINITY_TEXT = 'unlimited';

export interface LimitHost {
  /** Whether limits may be raised and oom_score_adj lowered (CAP_SYS_RESOURCE). */
  privileged: boolean;
  /** Text of /proc/self/limits. */
  limits: string;
  oomScoreAdj: number;
}

export function limitHost(capabilities: readonly string[]): LimitHost {
  return {
    privileged: capabilities.includes('CAP_SYS_RESOURCE'),
    limits: readFileSync('/proc/self/limits', 'utf8'),
    oomScoreAdj: Number(readFileSync('/proc/self/oom_score_adj', 'utf8')),
  };
}

/**
 * `process.rlimits`. Without CAP_SYS_RESOURCE nothing above our own hard limit can be had: it is lowered, and a warning says so.
 *
 * @throws EngineError "invalid" for an unknown name, or a soft limit over the hard one.
 */
export function processRlimits(
  ulimits: readonly { name: string; soft: number; hard: number }[],
  host: LimitHost,
  warnings: string[],
): Rlimit[] {
  return ulimits.map(({ name, soft, hard }) => {
    const label = NAMES[name];
    if (label === undefined) throw new EngineError('invalid', `invalid ulimit type: ${name}`);
    if (hard !== -1 && (soft === -1 || soft > hard)) {
      throw new EngineError(
        'invalid',
        `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`,
      );
    }
    const most = host.privileged ? Number.POSITIVE_INFINITY : ownHardLimit(host.limits, label);
    const wanted = limitValue(hard);
    if (wanted > most) warnings.push(`Cannot raise ulimit ${name} to ${hard}: limited to ${most}`);
    return {
      type: `RLIMIT_${name.toUpperCase()}`,
      hard: jsonLimit(Math.min(wanted, most)),
      soft: jsonLimit(Math.min(limitValue(soft), most)),
    };
  });
}

/** Those that are above what a process of ours may have as it is, by the names of prlimit(1). */
export function raisedLimits(rlimits: readonly Rlimit[], limits: string): { name: string; hard: number }[] {
  return rlimits.flatMap(({ type, hard }) => {
    const name = type.replace(/^RLIMIT_/, '').toLowerCase();
    const label = NAMES[name];
    return label === undefined || hard <= ownHardLimit(limits, label) ? [] : [{ name, hard }];
  });
}

/** The score asked for, or ours when a lower one is out of reach. */
export function processOomScoreAdj(wanted: number, host: LimitHost, warnings: string[]): number {
  if (!Number.isInteger(wanted) || wanted < -1000 || wanted > 1000) {
    throw new EngineError('invalid', `Invalid value ${wanted}, range for oom score adj is [-1000, 1000]`);
  }
  if (host.privileged || wanted >= host.oomScoreAdj) return wanted;
  if (wanted !== 0) warnings.push(`Cannot lower the OOM score to ${wanted}: left at ${host.oomScoreAdj}`);
  return host.oomScoreAdj;
}

function ownHardLimit(limits: string, label: string): number {
  const line = limits.split('\n').find((text) => text.startsWith(label));
  const hard = line?.slice(label.length).trim().split(/\s+/)[1];
  return hard === undefined || hard === INFINITY_TEXT ? Number.POSITIVE_INFINITY : Number(hard);
}

function limitValue(value: number): number {
  return value === -1 ? Number.POSITIVE_INFINITY : value;
}

/** 2^63-1024 is the highest double below 2^63: no real limit is that high. */
function jsonLimit(value: number): number {
  return value === Number.POSITIVE_INFINITY ? 2 ** 63 - 1024 : value;
}
