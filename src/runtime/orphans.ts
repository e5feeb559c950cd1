import { readdirSync, readFileSync } from 'node:fs';

/** Pids of monitors that were started for a task's directory, told by their command line. */
export function monitorsBelow(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => isMonitorOf(pid, directory));
}

function isMonitorOf(pid: number, directory: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const bundle = words.indexOf('--bundle');
    return words.includes('--full-attach') && bundle > 0 && words[bundle + 1] === directory;
  } catch {
    return false;
  }
}
