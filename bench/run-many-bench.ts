import { atOnce } from './at-once.ts';
import type { BenchRow } from './bench-row.ts';
import type { Endpoint } from './endpoint.ts';
import { inTurn } from './in-turn.ts';
import type { Setting } from './setting.ts';

const DEFAULT_RUNS = 3;
const CONTAINERS = 50;
const CLIENTS = 8;

interface Side {
  endpoint: Endpoint;
  removals: number[];
}

/** 50 `run -d` from 8 shells at a time, on the default network, and one `rm -f` of them all. */
export async function runManyBench(setting: Setting): Promise<BenchRow[]> {
  const image = await setting.busybox();
  const names = Array.from({ length: CONTAINERS }, (_, number) => `bench-many-${process.pid}-${number}`);
  const sides = setting.endpoints.map((endpoint): Side => ({ endpoint, removals: [] }));
  try {
    const contestants = sides.map((side) => ({
      work: () => startAndRemove(setting, side, { names, image }),
    }));
    const [sampan = [], other] = await inTurn(contestants, setting.options.runs ?? DEFAULT_RUNS);
    const [ours, theirs] = sides.map(({ removals }) => removals.slice(1));
    const of = { unit: 'ms', otherName: 'Docker' } as const;
    const rm = { what: `\`rm -f\` of ${CONTAINERS} running`, sampan: ours ?? [], other: theirs };
    return [
      { ...of, what: `${CONTAINERS} \`run -d\` from ${CLIENTS} clients`, sampan, other, goal: 1 / 6 },
      { ...of, ...rm, goal: 1 / 5 },
    ];
  } finally {
    for (const endpoint of setting.endpoints) for (const name of names) await endpoint.removeContainer(name);
  }
}

/** @returns The starts' milliseconds; the removal's go to the side. */
async function startAndRemove(
  setting: Setting,
  { endpoint, removals }: Side,
  { names, image }: { names: readonly string[]; image: string },
): Promise<number> {
  const started = performance.now();
  await atOnce(names, CLIENTS, (name) =>
    setting.runOwnClient(endpoint, ['run', '-d', '--name', name, image, 'sleep', '100000']),
  );
  const running = performance.now();
  setting.runClient(setting.clientOf(endpoint), endpoint, ['rm', '-f', ...names]);
  removals.push(performance.now() - running);
  return running - started;
}
