import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { runChecked } from '../sys/spawn.ts';
import { type AppArmorHost, appArmorHost, DEFAULT_PROFILE } from './spec/apparmor.ts';

/** Where macros of other profiles lie (apparmor.d(5)). */
const MACROS = '/etc/apparmor.d';
const PATIENCE_MS = 30_000;

/**
 * Have the kernel know the profile that containers get where nothing else is said. One that is there, by whomever, stays as it is: Docker's has
 * the same name. Where it can't be loaded containers run without, and the log says so.
 */
export async function ensureDefaultProfile(
  logger: Logger,
  host: AppArmorHost = appArmorHost,
  load: (text: string) => Promise<void> = loadProfile,
): Promise<void> {
  // A container sees that the kernel has AppArmor, and not its profiles: they are the host's.
  if (!host.enabled || !host.hasProfiles || host.profiles().has(DEFAULT_PROFILE)) return;
  try {
    await load(defaultProfile(readOwnLabel(), (macro) => existsSync(join(MACROS, macro))));
    logger.info('AppArmor profile loaded', { profile: DEFAULT_PROFILE });
  } catch (error) {
    const details = { profile: DEFAULT_PROFILE, error: messageOf(error) };
    logger.error('Cannot load the AppArmor profile: containers run without it', details);
  }
}

async function loadProfile(text: string): Promise<void> {
  await runChecked(['apparmor_parser', '--skip-cache', '--replace'], { stdin: text, timeoutMs: PATIENCE_MS });
}

/**
 * What Docker's profile allows: everything but mounts, and writing to the parts of /proc and /sys by which a container would change its host. Signals
 * come from the host and from within, traces from within.
 *
 * @param daemonLabel what this process is confined by
 */
export function defaultProfile(daemonLabel: string, hasMacro: (macro: string) => boolean): string {
  const senders = [...new Set(['unconfined', 'crun', 'runc', daemonLabel])];
  return [
    hasMacro('tunables/global') ? '#include <tunables/global>' : '@{PROC}=/proc/',
    `profile ${DEFAULT_PROFILE} flags=(attach_disconnected,mediate_deleted) {`,
    ...(hasMacro('abstractions/base') ? ['  #include <abstractions/base>'] : []),
    ...['network', 'capability', 'file', 'umount', 'deny mount'].map((rule) => `  ${rule},`),
    ...senders.map((label) => `  signal (receive) peer="${label}",`),
    `  signal (send,receive) peer=${DEFAULT_PROFILE},`,
    `  ptrace (trace,read,tracedby,readby) peer=${DEFAULT_PROFILE},`,
    ...DENIED.map((rule) => `  deny ${rule},`),
    '}\n',
  ].join('\n');
}

/** Of /proc only processes' own folders, and of its `sys` the kernel's limits of shared memory and semaphores; of /sys only cgroups. */
const DENIED = [
  '@{PROC}/* w',
  '@{PROC}/{[^0-9s],s[^y],sy[^s],sys[^/]}** w',
  '@{PROC}/sys/[^k]** w',
  '@{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w',
  '@{PROC}/{sysrq-trigger,kcore} rwklx',
  '/sys/{[^f],f[^s],fs/[^c],fs/c[^g],fs/cg[^r]}*/** wklx',
  '/sys/{firmware,kernel/security,devices/virtual/powercap}/** rwklx',
];

/** `name (mode)`, or `unconfined`. */
function readOwnLabel(): string {
  try {
    const label = readFileSync('/proc/self/attr/current', 'utf8').replaceAll('\0', '').trim();
    return label.replace(/ \([^()]*\)$/, '') || 'unconfined';
  } catch {
    return 'unconfined';
  }
}
