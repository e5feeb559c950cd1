import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoCodeOf } from '../../errors/engine-error.ts';

const ROOT = '/sys/fs/cgroup';
const MAX_DEPTH = 16;
/** CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC (linux/magic.h). */
const CGROUP_TYPES = new Set([0x27e0eb, 0x63677270]);

/** Whether the host has cgroup v2 alone; hybrid hosts count as 1. */
export function cgroupVersion(root = ROOT): '1' | '2' {
  return existsSync(join(root, 'cgroup.controllers')) ? '2' : '1';
}

/** One cgroup path, which on v1 hosts is a folder in each hierarchy. */
export class TaskCgroup {
  readonly #folders: string[];

  /** @param path the spec's `cgroupsPath`: `/sampan/<id>`, or `<slice>:<prefix>:<id>` with the systemd driver */
  constructor(path: string, root = ROOT) {
    this.#folders = hierarchies(root).map((hierarchy) => join(hierarchy, folderOf(path)));
  }

  /** Pids of all processes in it, the cgroups below included. */
  processes(): number[] {
    const pids = new Set<number>();
    for (const folder of this.#living()) {
      for (const pid of pidsBelow(folder, 0)) pids.add(pid);
      if (pids.size > 0) break;
    }
    return [...pids].sort((a, b) => a - b);
  }

  /** Let a frozen v1 cgroup run: unlike v2's, its processes take not even SIGKILL. */
  thaw(): void {
    for (const folder of this.#folders) {
      const file = join(folder, 'freezer.state');
      if (readOrEmpty(file).trim() !== 'THAWED' && existsSync(file)) writeFileSync(file, 'THAWED');
    }
  }

  /** Whether what is in it has been stopped by the freezer, or is being. */
  isFrozen(): boolean {
    return this.#folders.some((folder) => {
      const state = readOrEmpty(join(folder, 'freezer.state')).trim();
      return (
        ['FROZEN', 'FREEZING'].includes(state) || readOrEmpty(join(folder, 'cgroup.freeze')).trim() === '1'
      );
    });
  }

  /** As many processes as may be. */
  unlimitProcesses(): void {
    for (const folder of this.#folders) {
      const file = join(folder, 'pids.max');
      if (existsSync(file)) writeFileSync(file, 'max');
    }
  }

  /** Remove it if no process and no other cgroup is in it. */
  removeIfEmpty(): void {
    for (const folder of this.#folders) {
      if (subfolders(folder).length === 0 && pidsBelow(folder, 0).length === 0) removeFolder(folder);
    }
  }

  /** How many processes the kernel killed here for lack of memory. */
  oomKills(): number {
    for (const folder of this.#folders) {
      for (const file of ['memory.events', 'memory.oom_control']) {
        const count = /^oom_kill (?<count>\d+)$/m.exec(readOrEmpty(join(folder, file)))?.groups?.['count'];
        if (count !== undefined && count !== '0') return Number(count);
      }
    }
    return 0;
  }

  /** Kill what is in it and remove it. Gives up in silence after two seconds: the caller has logged the cause. */
  async remove(): Promise<boolean> {
    for (let attempt = 0; attempt < 40; attempt++) {
      if (this.#removeOnce()) return true;
      for (const pid of this.#living().flatMap((folder) => pidsBelow(folder, 0))) kill(pid);
      await sleep(Math.min(5 * (attempt + 1), 50));
    }
    return false;
  }

  /** Where what is in `cgroup.procs` is a process. */
  #living(): string[] {
    return this.#folders.filter((folder) => !isStandIn(folder));
  }

  #removeOnce(): boolean {
    return this.#folders.map(removeFolder).every(Boolean);
  }
}

/** systemd nests slices by the dashes in their names: `a-b.slice` lies in `a.slice`. */
function folderOf(path: string): string {
  const [slice = '', prefix, name] = path.split(':');
  if (name === undefined) return path;
  const words = slice.replace(/\.slice$/, '').split('-');
  const slices = words.map((_word, index) => `${words.slice(0, index + 1).join('-')}.slice`);
  return `/${[...slices, `${prefix}-${name}.scope`].join('/')}`;
}

function hierarchies(root: string): string[] {
  if (cgroupVersion(root) === '2') return [root];
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(root, entry.name));
  } catch {
    return [];
  }
}

/** In the place of a v2 hierarchy that was hidden (hybrid-cgroup.ts): a number that was once written there says nothing of what lives. */
function isStandIn(folder: string): boolean {
  const type = typeOf(folder);
  return folder.startsWith(`${ROOT}/unified/`) && type !== undefined && !CGROUP_TYPES.has(type);
}

function pidsBelow(folder: string, depth: number): number[] {
  if (depth > MAX_DEPTH) return [];
  const own = readOrEmpty(join(folder, 'cgroup.procs'))
    .split('\n')
    .filter((line) => line !== '' && line !== '0')
    .map(Number);
  return [...own, ...subfolders(folder).flatMap((name) => pidsBelow(join(folder, name), depth + 1))];
}

function subfolders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

function removeFolder(folder: string): boolean {
  const type = typeOf(folder);
  if (type === undefined) return true;
  if (!CGROUP_TYPES.has(type)) {
    // What crun leaves where the v2 hierarchy is hidden (hybrid-cgroup.ts): plain files.
    rmSync(folder, { recursive: true, force: true });
    return true;
  }
  for (const name of subfolders(folder)) removeFolder(join(folder, name));
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return errnoCodeOf(error) === 'ENOENT';
  }
}

/** Type of the file system, undefined when there is no such folder. */
function typeOf(folder: string): number | undefined {
  try {
    return statfsSync(folder).type;
  } catch {
    return undefined;
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
