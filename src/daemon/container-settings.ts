import { readFile } from 'node:fs/promises';
import { parseUlimit } from '../cli/commands/container/create-options/ulimits.ts';
import type { ContainerDefaults } from '../containers/creation/container-defaults.ts';
import { EngineError, messageOf } from '../errors/engine-error.ts';
import { parseSecurityOptions } from '../runtime/spec/security-options.ts';
import { parseByteSize } from '../wire/byte-size.ts';

/** What daemon.json and flags say of containers: defaults of theirs, and how they are started. */
export interface ContainerSettings {
  defaults: ContainerDefaults;
  /** `--init` where a container says neither yes nor no. */
  init: boolean;
  /** Undefined: the one that is found. */
  initPath: string | undefined;
  noNewPrivileges: boolean;
  /** `builtin`, `unconfined`, or the path of a profile. */
  seccompProfile: string;
}

interface Values {
  string(key: string): string;
  optional(key: string): string | undefined;
  bool(key: string): boolean;
  list(key: string): string[];
  /** As it stands in the file. */
  raw(key: string): unknown;
}

/** @throws EngineError "invalid", naming key and value. */
export function containerSettings(values: Values): ContainerSettings {
  const seccompProfile = values.string('seccomp-profile') || 'builtin';
  if (!['builtin', 'unconfined'].includes(seccompProfile) && !seccompProfile.startsWith('/'))
    throw refuse('seccomp-profile', seccompProfile, 'it must be builtin, unconfined or an absolute path');
  return {
    defaults: {
      ipcMode: oneOf(values.string('default-ipc-mode'), 'default-ipc-mode', ['private', 'shareable']),
      cgroupnsMode: oneOf(values.string('default-cgroupns-mode'), 'default-cgroupns-mode', [
        '',
        'host',
        'private',
      ]),
      shmSizeBytes: shmSize(values.raw('default-shm-size') ?? values.string('default-shm-size')),
      ulimits: ulimits(values),
    },
    init: values.bool('init'),
    initPath: initPath(values.optional('init-path')),
    noNewPrivileges: values.bool('no-new-privileges'),
    seccompProfile,
  };
}

/**
 * These settings as `--security-opt`s that come before a container's own. Read once, at the daemon's start.
 *
 * @throws EngineError "invalid" naming a profile that can't be read.
 */
export async function defaultSecurity(
  settings: Pick<ContainerSettings, 'noNewPrivileges' | 'seccompProfile'>,
): Promise<string[]> {
  const { noNewPrivileges, seccompProfile } = settings;
  const options = noNewPrivileges ? ['no-new-privileges'] : [];
  if (seccompProfile === 'builtin') return options;
  if (seccompProfile === 'unconfined') return [...options, 'seccomp=unconfined'];
  try {
    const profile = `seccomp=${await readFile(seccompProfile, 'utf8')}`;
    parseSecurityOptions([profile]);
    return [...options, profile];
  } catch (error) {
    throw new EngineError(
      'invalid',
      `opening seccomp profile (${seccompProfile}) failed: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

function initPath(path: string | undefined): string | undefined {
  if (path === undefined || path.startsWith('/')) return path;
  throw refuse('init-path', path, 'it must be an absolute path');
}

function oneOf(value: string, key: string, known: readonly string[]): string {
  if (known.includes(value)) return value;
  const names = known.filter((name) => name !== '').map((name) => `"${name}"`);
  throw refuse(key, value, `it must be ${names.join(' or ')}`);
}

/** In the file a number of bytes, or a text as on the command line. */
function shmSize(value: unknown): number {
  const size = typeof value === 'number' ? BigInt(value) : parseByteSize(String(value));
  if (typeof size === 'bigint' && size >= 0n) return Number(size);
  throw refuse('default-shm-size', String(value), 'it must be a size such as 64M');
}

function ulimits(values: Values): ContainerDefaults['ulimits'] {
  const inFile = values.raw('default-ulimits');
  const texts = inFile === undefined ? values.list('default-ulimits') : ulimitTexts(inFile as object);
  return texts.map((text) => {
    const ulimit = parseUlimit(text);
    if (typeof ulimit === 'string') throw new EngineError('invalid', `default-ulimits: ${ulimit}`);
    return { name: ulimit.Name, soft: Number(ulimit.Soft), hard: Number(ulimit.Hard) };
  });
}

/** `{"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}`, as dockerd has it. */
function ulimitTexts(inFile: object): string[] {
  return Object.entries(inFile).map(([key, value]) => {
    const { Name = key, Soft = 0, Hard = 0 } = (value ?? {}) as Partial<Record<string, unknown>>;
    return `${String(Name)}=${String(Soft)}:${String(Hard)}`;
  });
}

function refuse(key: string, value: string, why: string): EngineError {
  return new EngineError('invalid', `invalid ${key} ${JSON.stringify(value)}: ${why}`);
}
