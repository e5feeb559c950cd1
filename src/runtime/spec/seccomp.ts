import { EngineError } from '../../errors/engine-error.ts';
import { defaultSeccompProfile } from './seccomp-table.ts';

export interface SeccompArg {
  index: number;
  value: number;
  valueTwo?: number;
  op: string;
}

export interface SeccompConditions {
  caps?: string[];
  /** Go's names: amd64, arm64 … */
  arches?: string[];
  /** `4.8` */
  minKernel?: string;
}

export interface SeccompRule {
  names?: string[];
  /** Older profiles. */
  name?: string;
  action: string;
  errnoRet?: number;
  args?: SeccompArg[] | null;
  includes?: SeccompConditions;
  excludes?: SeccompConditions;
}

/** Docker's profile format, which adds conditions to the runtime spec's. */
export interface SeccompProfile {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  archMap?: { architecture: string; subArchitectures?: string[] | null }[] | null;
  flags?: string[];
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls?: SeccompRule[] | null;
}

/** What a profile's conditions are held against. */
export interface SeccompHost {
  /** Go's name of the machine. */
  arch: string;
  /** `uname -r` */
  kernel: string;
  /** The container's capabilities. */
  capabilities: readonly string[];
}

const MAX_PROFILE_CHARS = 1 << 20;

export function defaultSeccomp(host: SeccompHost): Record<string, unknown> {
  return compileSeccomp(defaultSeccompProfile, host);
}

/** A profile as a user gave it. @throws EngineError "invalid" when it is none. */
export function parseSeccompProfile(text: string): SeccompProfile {
  if (text.length > MAX_PROFILE_CHARS)
    throw new EngineError('invalid', 'Decoding seccomp profile failed: too large');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new EngineError('invalid', `Decoding seccomp profile failed: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EngineError('invalid', 'Decoding seccomp profile failed: not an object');
  }
  const profile = value as SeccompProfile;
  const rules = profile.syscalls ?? [];
  if (typeof profile.defaultAction !== 'string' || !Array.isArray(rules) || !rules.every(isRule)) {
    throw new EngineError('invalid', 'Decoding seccomp profile failed: wrong types');
  }
  if ((profile.architectures?.length ?? 0) > 0 && (profile.archMap?.length ?? 0) > 0) {
    throw new EngineError(
      'invalid',
      "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
    );
  }
  return profile;
}

function isRule(rule: unknown): rule is SeccompRule {
  if (typeof rule !== 'object' || rule === null || !('action' in rule)) return false;
  const { name, names } = rule as SeccompRule;
  if (name !== undefined && name !== '' && names !== undefined && names.length > 0) return false;
  return (
    typeof rule.action === 'string' &&
    (names === undefined || (Array.isArray(names) && names.every((n) => typeof n === 'string')))
  );
}

/** The spec's `linux.seccomp` for this machine and this container. */
export function compileSeccomp(profile: SeccompProfile, host: SeccompHost): Record<string, unknown> {
  const architectures = architecturesOf(profile, host.arch);
  const syscalls = (profile.syscalls ?? [])
    .filter((rule) => applies(rule, host))
    .map((rule) => ({
      names: rule.names !== undefined && rule.names.length > 0 ? rule.names : [rule.name ?? ''],
      action: rule.action,
      ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
      ...(rule.args === undefined || rule.args === null || rule.args.length === 0 ? {} : { args: rule.args }),
    }));
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    ...(architectures.length === 0 ? {} : { architectures }),
    ...(profile.flags === undefined ? {} : { flags: profile.flags }),
    ...(profile.listenerPath === undefined ? {} : { listenerPath: profile.listenerPath }),
    ...(profile.listenerMetadata === undefined ? {} : { listenerMetadata: profile.listenerMetadata }),
    syscalls,
  };
}

const ARCHITECTURES: Record<string, string> = {
  amd64: 'SCMP_ARCH_X86_64',
  arm64: 'SCMP_ARCH_AARCH64',
  '386': 'SCMP_ARCH_X86',
  arm: 'SCMP_ARCH_ARM',
};

function architecturesOf(profile: SeccompProfile, arch: string): string[] {
  if (profile.architectures !== undefined && profile.architectures.length > 0) return profile.architectures;
  const own = profile.archMap?.find((entry) => entry.architecture === ARCHITECTURES[arch]);
  return own === undefined ? [] : [own.architecture, ...(own.subArchitectures ?? [])];
}

/** Every included condition must hold (all of its capabilities), and no excluded one (none of them). */
function applies(rule: SeccompRule, host: SeccompHost): boolean {
  const { includes, excludes } = rule;
  if (excludes?.arches?.includes(host.arch)) return false;
  if (excludes?.caps?.some((cap) => host.capabilities.includes(cap))) return false;
  if (excludes?.minKernel !== undefined && kernelAtLeast(host.kernel, excludes.minKernel)) return false;
  if ((includes?.arches?.length ?? 0) > 0 && !includes?.arches?.includes(host.arch)) return false;
  if (includes?.caps?.some((cap) => !host.capabilities.includes(cap))) return false;
  return includes?.minKernel === undefined || kernelAtLeast(host.kernel, includes.minKernel);
}

function kernelAtLeast(kernel: string, wanted: string): boolean {
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
