import { readFileSync } from 'node:fs';
import { openFileLimit } from '../../sys/host.ts';
import type { DoctorCheck } from '../../wire/doctor.ts';
import { type Check, finding } from './check.ts';

/** sysctls that all containers of a machine share, and what many of them come to need. */
const SHARED: readonly { key: string; least: number; what: string }[] = [
  { key: 'fs.inotify.max_user_instances', least: 512, what: 'watchers of files (too many open files)' },
  { key: 'fs.inotify.max_user_watches', least: 65_536, what: 'watched files (no space left on device)' },
  { key: 'kernel.pid_max', least: 32_768, what: 'processes (resource temporarily unavailable)' },
  {
    key: 'user.max_net_namespaces',
    least: 2000,
    what: 'containers with a network (no space left on device)',
  },
];
const FILES = 65_536;
const CONNTRACK_SHARE = 0.8;

/** Limits that many containers run into together. */
export const checkLimits: Check = {
  name: 'limits',
  async run({ running, settings }) {
    const low = SHARED.filter(({ key, least }) => (sysctl(key) ?? least) < least);
    const shared =
      low.length === 0
        ? finding('limits', 'ok', "the kernel's limits leave room for many containers")
        : finding('limits', 'note', 'many containers together may run out of what they share', {
            details: low.map(({ key, what }) => `${key} = ${sysctl(key)}: ${what}`),
            command: `sysctl -w ${low.map(({ key, least }) => `${key}=${least}`).join(' ')}`,
          });
    return [shared, ...(running ? openFiles(settings.pidFile) : []), ...connections()];
  },
};

/** The daemon's own, which containers inherit. */
function openFiles(pidFile: string): DoctorCheck[] {
  const limit = openFileLimit();
  if (limit >= FILES) return [];
  return [
    finding('open-files', 'note', `the daemon, and each container, may open ${limit} files`, {
      cost: 'servers with many connections end with "too many open files"',
      advice: 'LimitNOFILE=1048576 in the unit, where systemd keeps it',
      command: `prlimit --pid $(cat ${pidFile}) --nofile=1048576`,
    }),
  ];
}

function connections(): DoctorCheck[] {
  const [count, max] = [sysctl('net.netfilter.nf_conntrack_count'), sysctl('net.netfilter.nf_conntrack_max')];
  if (count === undefined || max === undefined || count < max * CONNTRACK_SHARE) return [];
  return [
    finding('connections', 'warning', `${count} of ${max} tracked connections are in use`, {
      cost: 'the kernel drops packets of new connections when they are used up',
      command: `sysctl -w net.netfilter.nf_conntrack_max=${max * 4}`,
    }),
  ];
}

/** Undefined: this kernel has it not. */
function sysctl(key: string): number | undefined {
  try {
    return Number(readFileSync(`/proc/sys/${key.replaceAll('.', '/')}`, 'utf8'));
  } catch {
    return undefined;
  }
}
