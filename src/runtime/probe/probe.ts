import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { type Logger, silentLogger } from '../../errors/logger.ts';
import { run } from '../../sys/spawn.ts';
import { hasUnifiedBesideV1, hideUnified, inOwnMountNamespace } from '../cgroups/hybrid-cgroup.ts';
import { cgroupVersion } from '../cgroups/task-cgroup.ts';
import type { RuntimeInfo } from '../runtime.ts';
import { lastMessage } from '../runtime-errors.ts';
import type { OciBinary } from './oci-binary.ts';
import { PROBE_TIMEOUT_MS, type ProbePlace, removeProbes, withProbeBundle } from './probe-bundle.ts';
import { SECCOMP_MODE_FILTER } from './probe-program.ts';
import type { CompiledSeccomp } from './seccomp-cache.ts';
import { trySeccompFilter } from './seccomp-trial.ts';

export interface ProbeOptions {
  /** On tmpfs, ours alone; made when absent. The probe's files below it are removed again. */
  directory: string;
  /** Parent of the probe's cgroup, absolute, e.g. `/sampan-x`. */
  cgroupParent: string;
  /** `--default-runtime`: `crun`, `runc` or a path; undefined: crun where it works, else runc. */
  runtime?: string;
  conmonPath?: string;
  cgroupDriver?: 'cgroupfs' | 'systemd';
  /** Whether unmounting something concerns nobody else. Default: compared with process 1. */
  ownMountNamespace?: boolean;
  logger?: Logger;
  signal?: AbortSignal;
}

export interface ProbedRuntime {
  info: RuntimeInfo;
  /** Those that were looked at before it, each with why it won't do. */
  rejected: readonly string[];
  binary: OciBinary;
  conmonPath: string;
  /** Whether the binary, as it is when this is called, enforces a compiled seccomp filter. Undefined: it does not. */
  trySeccompFilter: () => Promise<CompiledSeccomp | undefined>;
}

const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/**
 * Find the OCI runtime that works here, by running a container in it, not by guessing from the host's looks.
 *
 * @throws EngineError "unavailable" when none does; the message says why for each.
 */
export async function probeRuntime(options: ProbeOptions): Promise<ProbedRuntime> {
  const logger = options.logger ?? silentLogger;
  const conmonPath = options.conmonPath ?? findProgram('conmon');
  if (conmonPath === undefined) throw missing('conmon', 'conmon');
  await removeProbes(options);
  const failures: string[] = [];
  for (const wanted of options.runtime === undefined ? ['crun', 'runc'] : [options.runtime]) {
    const path = findProgram(wanted);
    if (path === undefined) {
      failures.push(`${wanted}: not installed`);
      continue;
    }
    const binary = await identify(path);
    try {
      await tryBinary(binary, options);
      const place = probePlace(options, 'seccomp');
      return {
        info: await describe(binary, conmonPath, options),
        rejected: failures,
        binary,
        conmonPath,
        trySeccompFilter: () => trySeccompFilter(binary, place),
      };
    } catch (error) {
      options.signal?.throwIfAborted();
      failures.push(`${path}: ${messageOf(error)}`);
      logger.info('OCI runtime does not work here', { path, reason: messageOf(error) });
    }
  }
  const isFull = failures.some((failure) => /ENOSPC|No space left/i.test(failure));
  throw new EngineError('unavailable', `No OCI runtime works on this host: ${failures.join('; ')}`, {
    hint: isFull
      ? `Make room in the exec root: ${options.directory} is on a full file system.`
      : 'Install crun or runc.',
  });
}

/** Absolute path of a program: as given when it has a slash, else from PATH and the usual folders. */
export function findProgram(name: string): string | undefined {
  if (name.includes('/')) return existsSync(name) ? name : undefined;
  const folders = [
    ...(process.env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/')),
    ...FOLDERS,
  ];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

async function identify(path: string): Promise<OciBinary> {
  const { stdout } = await run([path, '--version'], { timeoutMs: PROBE_TIMEOUT_MS });
  const first = /^(?<name>crun|runc) version (?<version>\S+)/m.exec(stdout)?.groups;
  const commit = /^commit: (?<commit>\S+)/m.exec(stdout)?.groups?.['commit'] ?? '';
  return {
    name: first?.['name'] === 'crun' ? 'crun' : 'runc',
    path,
    version: first?.['version'] ?? 'unknown',
    commit,
  };
}

async function tryBinary(binary: OciBinary, options: ProbeOptions): Promise<void> {
  if (
    binary.name === 'crun' &&
    hasUnifiedBesideV1() &&
    (options.ownMountNamespace ?? inOwnMountNamespace())
  ) {
    hideUnified();
  }
  await withProbeBundle(binary, probePlace(options, 'probe'), async ({ id, directory, stateDirectory }) => {
    const command = [binary.path, `--root=${stateDirectory}`, 'run', '--bundle', directory, id];
    const result = await run(command, {
      timeoutMs: PROBE_TIMEOUT_MS,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    if (result.exitCode === SECCOMP_MODE_FILTER) return;
    const words = result.stderr.trim();
    throw new EngineError(
      'unavailable',
      words === '' ? `the probe container ended with ${result.exitCode}` : lastMessage(words),
    );
  });
}

function probePlace({ directory, cgroupParent }: ProbeOptions, name: string): ProbePlace {
  return { directory, cgroupParent, id: `${name}-${process.pid}` };
}

async function describe(binary: OciBinary, conmonPath: string, options: ProbeOptions): Promise<RuntimeInfo> {
  const { stdout } = await run([conmonPath, '--version'], { timeoutMs: PROBE_TIMEOUT_MS });
  return {
    name: binary.name,
    path: binary.path,
    version: binary.version,
    commit: binary.commit,
    monitorVersion: /version (?<version>\S+)/.exec(stdout)?.groups?.['version'] ?? 'unknown',
    cgroupDriver: options.cgroupDriver ?? 'cgroupfs',
    cgroupVersion: cgroupVersion(),
    warnings: hostWarnings(),
  };
}

/** What Docker warns of for limits that this host cannot keep. */
function hostWarnings(): string[] {
  if (cgroupVersion() === '2') {
    const controllers = readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(' ');
    return [
      ...(controllers.includes('memory') ? [] : ['WARNING: No memory limit support']),
      ...(controllers.includes('cpu') ? [] : ['WARNING: No cpu shares support']),
      ...(controllers.includes('cpuset') ? [] : ['WARNING: No cpuset support']),
      ...(controllers.includes('pids') ? [] : ['WARNING: No pids limit support']),
    ];
  }
  const has = (path: string): boolean => existsSync(join('/sys/fs/cgroup', path));
  return [
    ...(has('memory/memory.limit_in_bytes') ? [] : ['WARNING: No memory limit support']),
    ...(has('memory/memory.memsw.limit_in_bytes') ? [] : ['WARNING: No swap limit support']),
    ...(has('cpu/cpu.shares') ? [] : ['WARNING: No cpu shares support']),
    ...(has('cpu/cpu.cfs_quota_us') ? [] : ['WARNING: No cpu cfs quota support']),
    ...(has('cpuset/cpuset.cpus') ? [] : ['WARNING: No cpuset support']),
    ...(has('pids') ? [] : ['WARNING: No pids limit support']),
  ];
}

function missing(program: string, packageName: string): EngineError {
  return new EngineError('unavailable', `${program} is not installed`, {
    hint: `apt-get install ${packageName}`,
  });
}
