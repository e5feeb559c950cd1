import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

export interface ProcessMemory {
  pid: number;
  name: string;
  /** Proportional set size: shared pages count by their share. */
  pssBytes: number;
}

/** Proportional set size of processes by the kernel's own sum; those that have ended are left out. */
export function memoryOf(pids: readonly number[]): ProcessMemory[] {
  return pids.flatMap((pid) => {
    const pss = /^Pss:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1];
    return pss === undefined ? [] : [{ pid, name: nameOf(pid), pssBytes: Number(pss) * 1024 }];
  });
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
