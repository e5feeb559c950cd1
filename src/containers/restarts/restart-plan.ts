import type { HostOptions } from '../container.ts';
import type { ContainerRecord } from '../record/container-record.ts';

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 60_000;
/** A run of this length was none of those that fail at once: the next delay is the first again. */
const SOUND_RUN_MS = 10_000;

export interface EndedRun {
  policy: HostOptions['restartPolicy'];
  exitCode: number;
  ranMs: number;
  /** Its end was asked for: by a user, or for a restart on a user's word. */
  asked: boolean;
  /** Restarts by the policy since the last start on a user's word. */
  restartCount: number;
  /** Before the run that has ended; 0: it was no restart. */
  lastDelayMs: number;
}

/** What Docker's policy makes of an end: the time until the next start, which doubles up to a minute. Undefined: it stays ended. */
export function planRestart(run: EndedRun): { delayMs: number } | undefined {
  if (run.asked || !wantsRestart(run)) return undefined;
  const last = run.ranMs >= SOUND_RUN_MS ? 0 : run.lastDelayMs;
  return { delayMs: last === 0 ? FIRST_DELAY_MS : Math.min(last * 2, LONGEST_DELAY_MS) };
}

/**
 * Whether a container that does not run is started with the daemon, as Docker does: `always` also when a user had stopped it,
 * `on-failure` by the exit code alone. One that was never started is not.
 */
export function startsWithDaemon(
  record: Pick<
    ContainerRecord,
    'host' | 'exitCode' | 'restartCount' | 'restartDue' | 'startedAtNano' | 'stoppedByUser'
  >,
): boolean {
  if (record.startedAtNano === 0n) return false;
  if (record.restartDue) return true;
  const policy = record.host.restartPolicy;
  if (policy.name === 'unless-stopped' && record.stoppedByUser) return false;
  return wantsRestart({ policy, exitCode: record.exitCode, restartCount: record.restartCount });
}

function wantsRestart({
  policy,
  exitCode,
  restartCount,
}: Pick<EndedRun, 'policy' | 'exitCode' | 'restartCount'>): boolean {
  switch (policy.name) {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure': {
      const { maximumRetryCount: most } = policy;
      return exitCode !== 0 && (most === 0 || restartCount < most);
    }
    case 'no':
    case '':
      return false;
  }
}
