import { release } from 'node:os';
import { posix } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import type { RuntimeSpec, SpecLinux } from '../runtime-spec.ts';
import { apparmorProfile } from './apparmor.ts';
import { containerCapabilities, hostCapabilities } from './capabilities.ts';
import { checkResources } from './check-resources.ts';
import { containerDevices } from './devices.ts';
import { processEnvironment } from './environment.ts';
import { type LimitHost, limitHost, processOomScoreAdj, processRlimits } from './limits.ts';
import { containerMounts, rootPropagation } from './mounts.ts';
import { containerNamespaces, containerSysctls, idMappings } from './namespaces.ts';
import { containerResources, resourceHost } from './resources.ts';
import { compileSeccomp, defaultSeccomp, type SeccompHost } from './seccomp.ts';
import { parseSecurityOptions, type SecurityOptions } from './security-options.ts';
import { SourceMounts } from './source-mounts.ts';
import type { SpecInput } from './spec-input.ts';
import { resolveUser } from './user.ts';

/** The oldest that knows all we use; crun before 1.9 refuses 1.1 and newer. */
const OCI_VERSION = '1.0.2';

export const defaultMaskedPaths: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

export const defaultReadonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

export interface BuiltSpec {
  spec: RuntimeSpec;
  /** What was asked for and cannot be had on this host. */
  warnings: string[];
}

/**
 * The runtime spec of a container, as strict as Docker's.
 *
 * Reads the container's root (users) and the host (devices, limits); the same input on the same host gives the same bytes.
 * @throws EngineError "invalid" for what was asked for wrongly, in Docker's words.
 */
export function buildSpec(asked: SpecInput): BuiltSpec {
  const sources = new SourceMounts();
  const input = { ...asked, binds: asked.binds.map((bind) => sources.withPropagation(bind)) };
  if (input.process.args.length === 0) throw new EngineError('invalid', 'no command specified');
  if (
    [...input.process.args, ...input.process.env, input.process.workingDir].some((text) =>
      text.includes('\0'),
    )
  ) {
    throw new EngineError('invalid', 'NUL byte in command, environment or working directory');
  }
  checkResources(input.host.resources);
  const warnings: string[] = [];
  const available = hostCapabilities();
  const capabilities = containerCapabilities(input.host, available);
  const security = parseSecurityOptions([...(input.securityDefaults ?? []), ...input.host.securityOpt]);
  const { hostname } = input.process;
  return {
    spec: {
      ociVersion: OCI_VERSION,
      process: processOf(input, { capabilities, security, limits: limitHost(available), warnings }),
      root: { path: input.rootDirectory, readonly: input.host.readonlyRootfs },
      ...(input.host.utsMode === 'host' || hostname === '' ? {} : { hostname }),
      mounts: containerMounts(input, { sources, writableCgroups: areCgroupsWritable(input, security) }),
      ...(Object.keys(input.host.annotations).length === 0
        ? {}
        : { annotations: { ...input.host.annotations } }),
      linux: linuxOf(input, { capabilities, security, warnings }),
    },
    warnings,
  };
}

/** @throws EngineError "invalid", in Docker's words, where the kernel would refuse it. */
function areCgroupsWritable(
  { host, userNamespace }: SpecInput,
  { writableCgroups }: SecurityOptions,
): boolean {
  if (writableCgroups !== undefined && userNamespace !== undefined)
    throw new EngineError(
      'invalid',
      'option WritableCgroups conflicts with user namespaces and rootless mode',
    );
  return writableCgroups ?? host.privileged;
}

interface ProcessParts {
  capabilities: string[];
  security: SecurityOptions;
  limits: LimitHost;
  warnings: string[];
}

function processOf(input: SpecInput, parts: ProcessParts): RuntimeSpec['process'] {
  const { process, host } = input;
  const user = resolveUser(input.rootDirectory, process.user, host.groupAdd);
  const { uid, gid, additionalGids } = user;
  const [height, width] = host.consoleSize;
  const rlimits = processRlimits(host.ulimits, parts.limits, parts.warnings);
  const { capabilities } = parts;
  return {
    terminal: process.terminal,
    ...(process.terminal && height > 0 && width > 0 ? { consoleSize: { height, width } } : {}),
    user: { uid, gid, additionalGids },
    args: [...process.args],
    env: processEnvironment(process, user.home),
    cwd: process.workingDir === '' ? '/' : process.workingDir,
    capabilities: {
      bounding: capabilities,
      effective: capabilities,
      permitted: capabilities,
      inheritable: [],
      ambient: [],
    },
    ...(rlimits.length === 0 ? {} : { rlimits }),
    noNewPrivileges: parts.security.noNewPrivileges,
    ...apparmorOf(input, parts.security),
    oomScoreAdj: processOomScoreAdj(host.oomScoreAdj, parts.limits, parts.warnings),
  };
}

function apparmorOf({ host }: SpecInput, { apparmor }: SecurityOptions): { apparmorProfile?: string } {
  const profile = apparmorProfile(apparmor, host);
  return profile === undefined ? {} : { apparmorProfile: profile };
}

interface LinuxParts {
  capabilities: string[];
  security: SecurityOptions;
  warnings: string[];
}

function linuxOf(input: SpecInput, parts: LinuxParts): SpecLinux {
  const { host } = input;
  const { devices, rules } = containerDevices(
    host.hardware?.devices ?? [],
    host.privileged,
    host.hardware?.cgroupRules,
  );
  const { resources, warnings } = containerResources(
    { ...host.resources, oomKillDisable: host.oomKillDisable, rules, hardware: host.hardware },
    resourceHost(input.cgroupVersion),
  );
  parts.warnings.push(...warnings);
  const seccomp = seccompOf(input, parts);
  const sysctl = containerSysctls(input);
  const rootfsPropagation = rootPropagation(input.binds);
  const unmasked = host.privileged || parts.security.unmaskedPaths;
  return {
    namespaces: containerNamespaces(input),
    ...idMappings(input),
    cgroupsPath: cgroupsPath(input),
    resources,
    ...(devices.length === 0 ? {} : { devices }),
    ...(seccomp === undefined ? {} : { seccomp }),
    maskedPaths: unmasked ? [] : [...(host.maskedPaths ?? defaultMaskedPaths)],
    readonlyPaths: unmasked ? [] : [...(host.readonlyPaths ?? defaultReadonlyPaths)],
    ...(Object.keys(sysctl).length === 0 ? {} : { sysctl }),
    ...(rootfsPropagation === undefined ? {} : { rootfsPropagation }),
  };
}

function seccompOf(input: SpecInput, parts: LinuxParts): Record<string, unknown> | undefined {
  const { seccomp } = parts.security;
  if (seccomp === 'unconfined') return undefined;
  const host: SeccompHost = {
    arch: goArch(process.arch),
    kernel: release(),
    capabilities: parts.capabilities,
  };
  if (seccomp !== 'default') return compileSeccomp(seccomp, host);
  return input.host.privileged ? undefined : defaultSeccomp(host);
}

function goArch(arch: NodeJS.Architecture): string {
  return arch === 'x64' ? 'amd64' : arch === 'ia32' ? '386' : arch;
}

function cgroupsPath(input: SpecInput): string {
  const parent = input.host.cgroupParent === '' ? input.cgroupParent : input.host.cgroupParent;
  if (input.cgroupDriver === 'systemd') {
    if (!parent.endsWith('.slice')) {
      throw new EngineError(
        'invalid',
        'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"',
      );
    }
    return `${parent}:sampan:${input.containerId}`;
  }
  return posix.join('/', parent, input.containerId);
}
