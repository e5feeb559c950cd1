import { statfsSync } from 'node:fs';
import { createError } from '../runtime-errors.ts';
import type { SpecMount } from '../runtime-spec.ts';
import { resolveInRoot } from './root-path.ts';

/** PROC_SUPER_MAGIC (linux/magic.h). */
const PROC_TYPE = 0x9fa0;
/** What runc lets be replaced, for lxcfs and the like; `net` leads to a process's own, where it does not. */
const REPLACEABLE = new Set(
  [
    'cpuinfo',
    'diskstats',
    'meminfo',
    'stat',
    'swaps',
    'uptime',
    'loadavg',
    'slabinfo',
    'sys/kernel/ns_last_pid',
    'sys/crypto/fips_enabled',
  ].map((name) => `/proc/${name}`),
);

/**
 * Refuse a mount on or in /proc, be it by links of the image, as runc does and crun (1.8) does not: what starts a program in a container
 * trusts that its /proc is the kernel's (CVE-2019-16884, CVE-2019-19921).
 *
 * @throws EngineError "internal" in Docker's words.
 */
export function checkProcMount(root: string, mount: SpecMount): void {
  const { destination, source = '' } = mount;
  const place = resolveInRoot(root, destination, { stopAt: '/proc' });
  const path = place.slice(root.length);
  if (path === '/proc' ? mount.type === 'bind' && isProc(source) : REPLACEABLE.has(path)) return;
  if (path !== '/proc' && !path.startsWith('/proc/')) return;
  const reason = path === '/proc' ? 'it is not of type proc' : 'it is inside /proc';
  const said = `error mounting "${source}" to rootfs at "${destination}": create mountpoint for ${destination} mount: check proc-safety of ${destination} mount: "${place}" cannot be mounted because ${reason}`;
  throw createError(
    `runc create failed: unable to start container process: error during container init: ${said}`,
    '',
  );
}

function isProc(path: string): boolean {
  try {
    return statfsSync(path).type === PROC_TYPE;
  } catch {
    return false;
  }
}
