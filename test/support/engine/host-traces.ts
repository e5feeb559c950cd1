import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

const CGROUPS = '/sys/fs/cgroup';

/** Mount points below `root`, deepest last; of the namespace of `pid`, or of ours. */
export function mountsBelow(root: string, pid: number | 'self' = 'self'): string[] {
  return readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '))
    .filter((point) => point.startsWith(`${root}/`));
}

/** The cgroup folder of a daemon with this data root, in each hierarchy where it is. */
export function daemonCgroups(dataRoot: string): string[] {
  const name = `sampan-${createHash('sha256').update(dataRoot).digest('hex').slice(0, 8)}`;
  const hierarchies = existsSync(join(CGROUPS, 'cgroup.controllers'))
    ? [CGROUPS]
    : readdirSync(CGROUPS).map((hierarchy) => join(CGROUPS, hierarchy));
  return hierarchies.map((hierarchy) => join(hierarchy, name)).filter((path) => existsSync(path));
}

/** Every folder below, deepest first, itself last. */
export function cgroupTree(path: string): string[] {
  const children = entriesOf(path).filter((entry) => entry.isDirectory());
  return [...children.flatMap((entry) => cgroupTree(join(path, entry.name))), path];
}

/** Nothing, where it was removed meanwhile. */
function entriesOf(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Pids in the cgroup and below. */
export function cgroupProcesses(path: string): number[] {
  return cgroupTree(path).flatMap((folder) => {
    try {
      return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
    } catch {
      return [];
    }
  });
}

/** Kill what runs in the cgroup and remove it. On a busy machine it takes seconds until the dead are gone. */
export async function removeCgroup(path: string): Promise<void> {
  for (let tries = 0; tries < 500 && existsSync(path); tries++) {
    for (const pid of cgroupProcesses(path)) if (pid > 1) kill(pid);
    try {
      for (const folder of cgroupTree(path)) rmdirSync(folder);
    } catch {
      await Bun.sleep(20);
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone.
  }
}
