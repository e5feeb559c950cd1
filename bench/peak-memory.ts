import { setTimeout as sleep } from 'node:timers/promises';
import { residentBytes } from './process-memory.ts';

const SAMPLE_MS = 20;

/** The highest resident set of a process while `work` goes on. */
export async function peakMemory(pid: number, work: () => Promise<void>): Promise<number> {
  let peakBytes = residentBytes(pid);
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      peakBytes = Math.max(peakBytes, residentBytes(pid));
      await sleep(SAMPLE_MS);
    }
  })();
  try {
    await work();
  } finally {
    isOver = true;
    await watching;
  }
  return peakBytes;
}
