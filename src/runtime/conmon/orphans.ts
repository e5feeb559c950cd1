import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const ATTEMPTS = 100;
const REAPING_ATTEMPTS = 20;
/** In the midst of execve a process has no command line for a moment. */
const CLEAR_LOOKS = 2;
const PAUSE_MS = 10;
const SIGKILL = 9;

/**
 * Kill what was started for a task's directory, or an exec's, and has no record yet: the monitor, the OCI runtime in the midst of `create`
 * or `exec`, the init that it has forked, and what a monitor of execs below the directory watches. They are told by `--bundle` and
 * `--process` in their command line.
 *
 * Resolves when none is left, with false when some outlast a second.
 */
export async function killProcessesOf(directory: string): Promise<boolean> {
  let clearLooks = 0;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const pids = processesOf(directory);
    clearLooks = pids.length === 0 ? clearLooks + 1 : 0;
    if (clearLooks === CLEAR_LOOKS) return true;
    const children = pids.flatMap(childrenOf);
    // Those first, and for a while they alone: a monitor reaps what it watches, and then ends of itself.
    const monitorsToo = children.length === 0 || attempt >= REAPING_ATTEMPTS;
    for (const pid of monitorsToo ? [...children, ...pids] : children) kill(pid);
    await sleep(PAUSE_MS);
  }
  return false;
}

function processesOf(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => worksOn(pid, directory));
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  } catch {
    return [];
  }
}

function worksOn(pid: number, directory: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return ['--bundle', '--process'].some((name) => {
      const place = words[words.indexOf(name, 1) + 1];
      return place === directory || place?.startsWith(`${directory}/`) === true;
    });
  } catch {
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, SIGKILL);
  } catch {
    // It has ended meanwhile.
  }
}
