import { setTimeout as sleep } from 'node:timers/promises';
import { atOnce } from './at-once.ts';
import type { BenchRow } from './bench-row.ts';
import { daemonFamily, memoryOf } from './process-memory.ts';
import type { Setting } from './setting.ts';

const CLIENTS = 8;
/** Ours gives memory back at the end of five seconds of rest. */
const SETTLE_MS = 15_000;
const GOAL = 1.2;

/** What the daemon holds after many runs, beside what it held after a tenth of them. */
export async function runMemoryBench(setting: Setting): Promise<BenchRow> {
  const image = await setting.busybox();
  const all = setting.options.containerRuns;
  const few = Math.max(1, Math.floor(all / 10));
  await run(setting, image, few);
  const early = await held(setting);
  await run(setting, image, all - few);
  const late = await held(setting);
  const what = `memory of the daemon after ${all} runs, beside after ${few}`;
  return { what, unit: 'MB', sampan: [late], other: [early], otherName: `after ${few}`, goal: GOAL };
}

async function run(setting: Setting, image: string, count: number): Promise<void> {
  const args = ['run', '--rm', '--network', 'none', image, 'true'];
  await atOnce(
    Array.from({ length: count }, () => args),
    CLIENTS,
    (each) => setting.runOwnClient(setting.sampan, each),
  );
}

async function held(setting: Setting): Promise<number> {
  await sleep(SETTLE_MS);
  const processes = memoryOf(daemonFamily(setting.sampanPid()));
  return processes.reduce((sum, { aloneBytes }) => sum + aloneBytes, 0) / 1e6;
}
