import type { ContainerConfig } from '../container.ts';

export type HealthStatus = 'starting' | 'healthy' | 'unhealthy';

export interface ProbeResult {
  startNano: bigint;
  endNano: bigint;
  /** 0: healthy. -1: it could not be run, or took too long. */
  exitCode: number;
  output: string;
}

/** What inspect shows of a container that is checked: the last results, oldest first. */
export interface Health {
  status: HealthStatus;
  failingStreak: number;
  log: ProbeResult[];
}

/** What becomes of a container that turns unhealthy. */
export type HealthFailureAction = 'none' | 'kill' | 'restart' | 'stop';

/** A health check with Docker's defaults filled in. */
export interface HealthPlan {
  command: string[];
  intervalMs: number;
  timeoutMs: number;
  startPeriodMs: number;
  startIntervalMs: number;
  retries: number;
}

const MAX_RESULTS = 5;
const NS_PER_MS = 1_000_000;
/** `setTimeout` takes no more. */
const MAX_MS = 2 ** 31 - 1;

/** Undefined: nothing is checked, as nothing was asked for, `NONE` was, or a word that nobody knows. */
export function healthPlan({
  healthcheck,
  shell,
}: Pick<ContainerConfig, 'healthcheck' | 'shell'>): HealthPlan | undefined {
  const [kind, ...words] = healthcheck?.test ?? [];
  if (healthcheck === undefined || (kind !== 'CMD' && kind !== 'CMD-SHELL') || words.length === 0)
    return undefined;
  const usedShell = shell === undefined || shell.length === 0 ? ['/bin/sh', '-c'] : shell;
  return {
    command: kind === 'CMD' ? words : [...usedShell, ...words],
    intervalMs: milliseconds(healthcheck.intervalNs, 30_000),
    timeoutMs: milliseconds(healthcheck.timeoutNs, 30_000),
    startPeriodMs: milliseconds(healthcheck.startPeriodNs, 0),
    startIntervalMs: milliseconds(healthcheck.startIntervalNs, 5_000),
    retries: healthcheck.retries > 0 ? healthcheck.retries : 3,
  };
}

function milliseconds(nano: bigint, otherwise: number): number {
  return nano === 0n ? otherwise : Math.min(Number(nano) / NS_PER_MS, MAX_MS);
}

/** At a start. Results of earlier runs stay. */
export function startingHealth(before: Health | undefined): Health {
  return { status: 'starting', failingStreak: 0, log: before?.log ?? [] };
}

/** Not checked for now, paused or ended: as Docker has it, unhealthy until a check says otherwise. */
export function uncheckedHealth(health: Health): Health {
  return { ...health, status: 'unhealthy' };
}

/** A failure counts unless the container has never been healthy and is in its start period. */
export function healthAfter(
  health: Health,
  result: ProbeResult,
  plan: HealthPlan,
  startedAtNano: bigint,
): Health {
  const log = [...health.log, result].slice(-MAX_RESULTS);
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  const sinceStartMs = Number(result.startNano - startedAtNano) / NS_PER_MS;
  if (health.status === 'starting' && sinceStartMs < plan.startPeriodMs) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { status: failingStreak >= plan.retries ? 'unhealthy' : health.status, failingStreak, log };
}

/** Until the next check, from the end of the last. */
export function nextCheckMs(plan: HealthPlan, status: HealthStatus, sinceStartMs: number): number {
  const starting = status === 'starting' && sinceStartMs < plan.startPeriodMs;
  return starting ? plan.startIntervalMs : plan.intervalMs;
}
