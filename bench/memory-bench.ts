import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchRow } from './bench-row.ts';
import { daemonFamily, memoryOf, type ProcessMemory, socketOwner } from './process-memory.ts';
import type { Setting } from './setting.ts';

/** Ours ends its layer threads ten seconds after a pull, and gives memory back at the end of five seconds of rest. */
const SETTLE_MS = 30_000;
const DEFAULT_SAMPLES = 5;

/**
 * Memory of the idle daemons with their helpers, some samples a quarter of a second apart: the proportional set size, but each program's
 * file counted whole, since the bench runs on the same Bun and would halve its share.
 *
 * Pages of the program count while they are mapped, on both sides. Ours unmaps its own at rest (they stay in the page cache, where the
 * kernel may drop them): so the note also tells what is anonymous, which no daemon can give back by unmapping.
 */
export async function memoryBench(setting: Setting, when: string): Promise<BenchRow> {
  await sleep(SETTLE_MS);
  const ours = setting.sampanPid();
  const theirs = setting.peer === undefined ? undefined : peerProcesses(setting, setting.peer.socketPath);
  const figures: { sampan: number[]; other: number[] } = { sampan: [], other: [] };
  let note = '';
  for (let sample = 0; sample < (setting.options.runs ?? DEFAULT_SAMPLES); sample++) {
    const own = memoryOf(daemonFamily(ours));
    const others = memoryOf(theirs ?? []);
    figures.sampan.push(megabytes(own));
    figures.other.push(megabytes(others));
    note = theirs === undefined ? describe(own) : `${describe(own)} / ${describe(others)}`;
    await sleep(250);
  }
  return {
    what: `idle memory of the daemon and its helpers, ${when}`,
    unit: 'MB',
    sampan: figures.sampan,
    other: theirs === undefined ? undefined : figures.other,
    otherName: 'Docker',
    goal: 1 / 2,
    note,
  };
}

function peerProcesses(setting: Setting, socket: string): number[] {
  const { peerPids } = setting.options;
  return peerPids.length > 0 ? peerPids : daemonFamily(socketOwner(socket));
}

function megabytes(processes: readonly ProcessMemory[]): number {
  return processes.reduce((sum, { aloneBytes }) => sum + aloneBytes, 0) / 1e6;
}

const toMegabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);

function describe(processes: readonly ProcessMemory[]): string {
  return processes
    .map(
      ({ name, aloneBytes, pssBytes, anonymousBytes }) =>
        `${name} ${toMegabytes(aloneBytes)} (PSS ${toMegabytes(pssBytes)}, anonymous ${toMegabytes(anonymousBytes)})`,
    )
    .join(' + ');
}
