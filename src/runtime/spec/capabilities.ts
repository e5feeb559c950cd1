import { readFileSync } from 'node:fs';
import { EngineError } from '../../errors/engine-error.ts';

/** By the kernel's numbers (linux/capability.h). */
const ALL =
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT
SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`
    .split(/\s+/)
    .map((name) => `CAP_${name}`);

/** Docker's default set: 0x00000000a80425fb. */
export const defaultCapabilities: readonly string[] =
  `CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP
SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE`
    .split(/\s+/)
    .map((name) => `CAP_${name}`);

/** What this process could hand on at all: its bounding set. */
export function hostCapabilities(): string[] {
  const hex = /^CapBnd:\s*(?<mask>[0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.groups?.[
    'mask'
  ];
  const mask = BigInt(`0x${hex ?? '0'}`);
  return ALL.filter((_name, bit) => ((mask >> BigInt(bit)) & 1n) === 1n);
}

export interface CapabilityWish {
  privileged: boolean;
  capAdd: readonly string[];
  capDrop: readonly string[];
}

/**
 * The container's capabilities by Docker's rules: privileged wins; `ALL` in either list; else the defaults, less drops, plus adds.
 *
 * What the host cannot give is left out of `ALL` and of the defaults, and refused when named.
 * @throws EngineError "invalid" for a name that is no capability.
 */
export function containerCapabilities(wish: CapabilityWish, available: readonly string[]): string[] {
  const add = wish.capAdd.map((name) => normalized(name, 'CapAdd'));
  const drop = new Set(wish.capDrop.map((name) => normalized(name, 'CapDrop')));
  if (wish.privileged) return [...available];
  const defaults = defaultCapabilities.filter((name) => available.includes(name));
  const named = add.filter((name) => name !== 'ALL');
  for (const name of named) refuseUnavailable(name, available);
  if (drop.has('ALL')) return unique(add.includes('ALL') ? [...available] : named);
  const base = add.includes('ALL') ? available : defaults;
  const added = add.includes('ALL') ? [] : named;
  return unique([...base.filter((name) => !drop.has(name)), ...added]);
}

function normalized(name: string, field: string): string {
  const upper = name.trim().toUpperCase();
  if (upper === 'ALL' || upper === 'CAP_ALL') return 'ALL';
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!ALL.includes(full)) {
    throw new EngineError('invalid', `invalid ${field}: unknown capability: ${JSON.stringify(full)}`);
  }
  return full;
}

function refuseUnavailable(name: string, available: readonly string[]): void {
  if (!available.includes(name)) {
    throw new EngineError(
      'invalid',
      `invalid CapAdd: capability not supported by your kernel or not available in the current environment: ${JSON.stringify(name)}`,
    );
  }
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
