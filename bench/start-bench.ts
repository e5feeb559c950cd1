import type { BenchRow } from './bench-row.ts';
import { inTurn } from './in-turn.ts';
import type { Setting } from './setting.ts';

const DEFAULT_RUNS = 5;

/** From starting a daemon over existing roots to its first answered ping. @throws Error when the daemon isn't the bench's own. */
export async function startBench(setting: Setting): Promise<BenchRow> {
  const daemon = setting.ownDaemon;
  if (daemon === undefined) throw new Error('the daemon named by --socket is not ours to restart');
  const restart = { before: () => daemon.stop(), work: () => daemon.startAgain().then(() => undefined) };
  const [sampan = []] = await inTurn([restart], setting.options.runs ?? DEFAULT_RUNS);
  return {
    what: 'restart of the daemon until its first answer',
    unit: 'ms',
    sampan,
    other: undefined,
    otherName: '',
    goal: undefined,
  };
}
