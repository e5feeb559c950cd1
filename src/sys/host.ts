import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, hostname, machine, release, totalmem } from 'node:os';
import { errnoCodeOf } from '../errors/engine-error.ts';

/** Facts about the machine, for `info` and `version`. */
export interface HostFacts {
  hostname: string;
  kernelVersion: string;
  /** `Debian GNU/Linux 12 (bookworm)` */
  operatingSystem: string;
  /** `12`; empty where the distribution has none. */
  osVersion: string;
  /** As uname(1): `x86_64`, `aarch64`. */
  architecture: string;
  /** CPUs that this process may use. */
  cpus: number;
  memoryBytes: number;
  ipv4Forwarding: boolean;
}

/** Read anew at each call: name and forwarding may change. */
export function readHostFacts(): HostFacts {
  const values = readOsRelease();
  return {
    hostname: hostname(),
    kernelVersion: release(),
    operatingSystem: `${values.get('PRETTY_NAME') ?? 'Linux'}${isContainerized() ? ' (containerized)' : ''}`,
    osVersion: values.get('VERSION_ID') ?? '',
    architecture: machine(),
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    ipv4Forwarding: readIfThere('/proc/sys/net/ipv4/ip_forward')?.trim() === '1',
  };
}

/** How many files this process may have open. */
export function openFileLimit(): number {
  const soft = /^Max open files\s+(\d+)/m.exec(readIfThere('/proc/self/limits') ?? '')?.[1];
  return Number(soft ?? Number.POSITIVE_INFINITY);
}

function readOsRelease(): Map<string, string> {
  return parseOsRelease(readIfThere('/etc/os-release') ?? readIfThere('/usr/lib/os-release') ?? '');
}

/** os-release(5): assignments in shell syntax, quoted or not. */
export function parseOsRelease(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, key, raw] = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && raw !== undefined) values.set(key, unquote(raw));
  }
  return values;
}

function unquote(text: string): string {
  const [, single] = /^'([^']*)'$/.exec(text) ?? [];
  if (single !== undefined) return single;
  const [, double] = /^"(.*)"$/.exec(text) ?? [];
  return (double ?? text).replace(/\\(["$`\\])/g, '$1');
}

function isContainerized(): boolean {
  return existsSync('/.dockerenv') || existsSync('/run/.containerenv');
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
