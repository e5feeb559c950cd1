import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const ATTEMPTS = 100;
const PAUSE_MS = 10;
const SIGKILL = 9;

/**
 * Kill what was started for a task's directory and has no record yet: the monitor, the OCI runtime in the midst of `create`, and the init
 * that it has forked. All of them are told by `--bundle <directory>` in their command line.
 *
 * Resolves when none is left, with false when some outlast a second.
 */
export async function killProcessesOf(directory: string): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const pids = processesOf(directory);
    if (pids.length === 0) return true;
    for (const pid of pids) kill(pid);
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

function worksOn(pid: number, directory: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const bundle = words.indexOf('--bundle');
    return bundle > 0 && words[bundle + 1] === directory;
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
