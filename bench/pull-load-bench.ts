import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchRow } from './bench-row.ts';
import type { Endpoint } from './endpoint.ts';
import { residentBytes } from './process-memory.ts';
import { runCommand } from './run-command.ts';
import type { Setting } from './setting.ts';

const DEFAULT_RUNS = 3;
const PING_EVERY_MS = 5;
const ANSWER_LIMIT_MS = 20;
const PEAK_LIMIT_MB = 150;

/** What a pull of the image of many layers costs others: how long the API takes to answer meanwhile, and the daemon's highest memory. */
export async function pullLoadBench(setting: Setting): Promise<BenchRow[]> {
  const image = await setting.layered();
  const answers: number[] = [];
  const peaks: number[] = [];
  for (let round = 0; round < (setting.options.runs ?? DEFAULT_RUNS); round++) {
    await setting.sampan.removeImage(image);
    runCommand(['sync']);
    const { p99Ms, peakMb } = await watchPull(setting, image);
    answers.push(p99Ms);
    peaks.push(peakMb);
  }
  const own = { other: undefined, otherName: '', goal: undefined };
  return [
    {
      ...own,
      what: '`/_ping` during that pull, 99th percentile',
      unit: 'ms',
      sampan: answers,
      limit: ANSWER_LIMIT_MS,
    },
    {
      ...own,
      what: 'peak memory of the daemon during that pull',
      unit: 'MB',
      sampan: peaks,
      limit: PEAK_LIMIT_MB,
    },
  ];
}

async function watchPull(setting: Setting, image: string): Promise<{ p99Ms: number; peakMb: number }> {
  const watch = { over: false, answers: [] as number[], peakBytes: 0 };
  const watching = Promise.all([pings(setting.sampan, watch), memory(setting.sampanPid(), watch)]);
  await setting.sampan.pull(image);
  watch.over = true;
  await watching;
  const sorted = watch.answers.toSorted((a, b) => a - b);
  return { p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0, peakMb: watch.peakBytes / 1e6 };
}

async function pings(endpoint: Endpoint, watch: { over: boolean; answers: number[] }): Promise<void> {
  while (!watch.over) {
    const started = performance.now();
    await endpoint.ping();
    watch.answers.push(performance.now() - started);
    await sleep(PING_EVERY_MS);
  }
}

async function memory(pid: number, watch: { over: boolean; peakBytes: number }): Promise<void> {
  while (!watch.over) {
    watch.peakBytes = Math.max(watch.peakBytes, residentBytes(pid));
    await sleep(20);
  }
}
