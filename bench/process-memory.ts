import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

export interface ProcessMemory {
  pid: number;
  name: string;
  /** The kernel's proportional set size. Falls when others run the same program, as the bench itself runs Bun. */
  pssBytes: number;
  /** The same, but the program's own file counted as though this were the only process running it. */
  aloneBytes: number;
  /** What the kernel cannot drop without swap: `aloneBytes` less the pages that it can read again from files. */
  anonymousBytes: number;
}

/** Memory of processes; those that have ended are left out. */
export function memoryOf(pids: readonly number[]): ProcessMemory[] {
  return pids.flatMap((pid) => {
    const rollup = read(`/proc/${pid}/smaps_rollup`);
    const pssBytes = kilobytes(rollup, 'Pss') * 1024;
    if (pssBytes === 0) return [];
    const anonymousBytes = kilobytes(rollup, 'Pss_Anon') * 1024;
    const aloneBytes = pssBytes + sharedProgramBytes(pid);
    return [{ pid, name: nameOf(pid), pssBytes, aloneBytes, anonymousBytes }];
  });
}

const CLOCK_TICK_MS = 10;

/** Processor time, user's and system's, that processes have taken since their start; of those that have ended nothing. */
export function cpuMilliseconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    // Behind the name, which may hold anything: from the third field on.
    const fields = read(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
    return sum + (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * CLOCK_TICK_MS;
  }, 0);
}

/** The whole resident set of one process. Cheap to read, and holds it up for no time, unlike `memoryOf`. */
export function residentBytes(pid: number): number {
  return kilobytes(read(`/proc/${pid}/status`), 'VmRSS') * 1024;
}

/** What the proportional count leaves to others of the mappings of the process's own executable. */
function sharedProgramBytes(pid: number): number {
  const inode = programInode(pid);
  const mappings = read(`/proc/${pid}/smaps`).split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  return mappings
    .filter((mapping) => mapping.split(/\s+/, 5)[4] === inode)
    .reduce((sum, mapping) => sum + (kilobytes(mapping, 'Rss') - kilobytes(mapping, 'Pss')) * 1024, 0);
}

function programInode(pid: number): string {
  try {
    return String(statSync(`/proc/${pid}/exe`).ino);
  } catch {
    return '';
  }
}

function kilobytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0);
}

/** Who listens on a socket (systemd aside, which may only hold it), by ss(8). @throws Error when nobody is found. */
export function socketOwner(path: string): number {
  const inode = statSync(path).ino;
  const listeners = execFileSync('ss', ['-xlpeH'], { encoding: 'utf8' });
  const line = listeners.split('\n').find((candidate) => candidate.includes(` ino:${inode} `)) ?? '';
  const pid = [...line.matchAll(/pid=(\d+)/g)].map((match) => Number(match[1])).find((owner) => owner !== 1);
  if (pid === undefined) throw new Error('Cannot find the process behind the socket: name it by --peer-pid.');
  return pid;
}

/**
 * A daemon and what serves it without a container: its children, and for dockerd the containerd of the same mount namespace. Monitors of
 * running containers (shims, conmon with a child) are left out.
 */
export function daemonFamily(pid: number): number[] {
  const parents = new Map(allProcesses().map((other) => [other, parentOf(other)]));
  const belongs = (other: number): boolean => {
    for (let at: number | undefined = other; at !== undefined && at > 1; at = parents.get(at))
      if (at === pid) return true;
    return false;
  };
  const world = mountNamespace(pid);
  const hasContainerd = nameOf(pid) === 'dockerd';
  return [...parents.keys()].filter(
    (other) =>
      belongs(other) || (hasContainerd && nameOf(other) === 'containerd' && mountNamespace(other) === world),
  );
}

/** Monitors of the containers of a daemon: by the folder that ours names to them, by the mount namespace that the peer's share with it. */
export function monitorsOf(daemon: number, execRoot: string | undefined): number[] {
  const world = mountNamespace(daemon);
  return allProcesses().filter((pid) =>
    execRoot === undefined
      ? nameOf(pid).startsWith('containerd-shim') && mountNamespace(pid) === world
      : nameOf(pid) === 'conmon' && read(`/proc/${pid}/cmdline`).includes(execRoot),
  );
}

function allProcesses(): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
}

function nameOf(pid: number): string {
  return read(`/proc/${pid}/comm`).trim();
}

function mountNamespace(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return '';
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
