import { readFileSync } from 'node:fs';
import { checked, libc } from './libc.ts';

const CLOCK_REALTIME = 0;
const timespec = new BigInt64Array(2);

/** Time of day in nanoseconds since 1970, as fine as the kernel has it. May step back when the machine's clock is set. */
export function nowNano(): bigint {
  checked(libc.clock_gettime(CLOCK_REALTIME, timespec), 'clock_gettime', 'read the clock');
  return (timespec[0] ?? 0n) * 1_000_000_000n + (timespec[1] ?? 0n);
}

/** Another one after each boot: what was noted under a different id has died with the machine. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** When process `pid` was started, in clock ticks since boot: with it a pid is never mistaken. Undefined: there is no such process. */
export function processStartTicks(pid: number): number | undefined {
  try {
    return startTicksOf(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Field 22 of a `/proc/<pid>/stat`. The second field, the name, may hold spaces and parentheses. */
export function startTicksOf(stat: string): number | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[19]);
  return fields.length > 19 && Number.isSafeInteger(ticks) ? ticks : undefined;
}
