import type { BenchRow } from './bench-row.ts';
import type { Endpoint } from './endpoint.ts';
import { type Contestant, inTurn } from './in-turn.ts';
import type { Setting } from './setting.ts';

const DEFAULT_RUNS = 15;
const IDLE = ['sleep', '100000'];

/** `exec C true` from the shell, each daemon with its own client. */
export async function execBench(setting: Setting): Promise<BenchRow[]> {
  const image = await setting.busybox();
  const name = `bench-exec-${process.pid}`;
  for (const endpoint of setting.endpoints) await endpoint.startContainer(name, image, IDLE);
  const contestant = (endpoint: Endpoint): Contestant => ({
    work: () => setting.runClient(setting.clientOf(endpoint), endpoint, ['exec', name, 'true']),
  });
  try {
    const runs = setting.options.runs ?? DEFAULT_RUNS;
    const [sampan = [], other] = await inTurn(setting.endpoints.map(contestant), runs);
    const what = '`exec C true`, each with its own client';
    return [{ what, unit: 'ms', sampan, other, otherName: 'Docker', goal: 1 / 4 }];
  } finally {
    for (const endpoint of setting.endpoints) await endpoint.removeContainer(name);
  }
}
