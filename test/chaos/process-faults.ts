import { readdirSync, readFileSync } from 'node:fs';
import type { ProcessFault } from './plan.ts';

/** Do to a container's processes what the engine can't foresee. False when there is no such process. */
export function applyFault(fault: ProcessFault, target: { id: string; pid: number | undefined }): boolean {
  if (fault === 'init-stopped') return target.pid !== undefined && signal(target.pid, 'SIGSTOP');
  const monitors = pids().filter((pid) => {
    const words = commandOf(pid);
    return words[0]?.endsWith('conmon') === true && words.includes(target.id);
  });
  return monitors.map((pid) => signal(pid, 'SIGKILL')).includes(true);
}

export function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Its words; none when it is gone, or a zombie. */
export function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
  } catch {
    return [];
  }
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
