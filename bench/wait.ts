import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** @throws Error after `timeoutMs` without a true answer; a thrown one counts as false. */
export async function waitUntil(
  what: string,
  condition: () => Promise<boolean> | boolean,
  { timeoutMs = 20_000, everyMs = 20 } = {},
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (
    !(await Promise.resolve()
      .then(condition)
      .catch(() => false))
  ) {
    if (performance.now() > end) throw new Error(`${what} didn't answer within ${timeoutMs / 1000} s`);
    await sleep(everyMs);
  }
}

/** SIGTERM, and SIGKILL after ten seconds; back when it has ended. */
export async function stopChild(child: ChildProcess): Promise<void> {
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  if (ended()) return;
  child.kill('SIGTERM');
  await waitUntil('The process', ended, { timeoutMs: 10_000 }).catch(() => child.kill('SIGKILL'));
  await waitUntil('The process', ended, { timeoutMs: 5_000 });
}
