import { dlopen } from 'bun:ffi';
import { readFileSync } from 'node:fs';
import { pids } from './process-faults.ts';

const WNOHANG = 1;
const EVERY_MS = 700;

/**
 * As process 1 of its namespaces the campaign inherits every orphan, which no test runner reaps. A zombie that is there at two looks is one;
 * what this process has started itself Bun reaps at once.
 */
export function reapOrphans(): { stop(): void } {
  if (process.pid !== 1) return { stop: () => undefined };
  const libc = dlopen('libc.so.6', { waitpid: { args: ['i32', 'ptr', 'i32'], returns: 'i32' } });
  let before = new Set<number>();
  const timer = setInterval(() => {
    const zombies = pids().filter(isOrphanedZombie);
    for (const pid of zombies) if (before.has(pid)) libc.symbols.waitpid(pid, null, WNOHANG);
    before = new Set(zombies);
  }, EVERY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      libc.close();
    },
  };
}

function isOrphanedZombie(pid: number): boolean {
  const [state, parent] = statOf(pid);
  return state === 'Z' && parent === '1';
}

/** State and parent. */
export function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
