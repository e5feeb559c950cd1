import type { BenchRow } from './bench-row.ts';
import type { Endpoint } from './endpoint.ts';
import { type Contestant, inTurn } from './in-turn.ts';
import { runCommand } from './run-command.ts';
import type { Setting } from './setting.ts';

const DEFAULT_RUNS = 3;

/** Pull of an image that differs from one that is there in its last layer alone. */
export async function repullBench(setting: Setting): Promise<BenchRow> {
  const [base, changed] = [await setting.layered(), await setting.changed()];
  for (const endpoint of setting.endpoints) await endpoint.pull(base);
  const contestant = (endpoint: Endpoint): Contestant => ({
    before: async () => {
      await endpoint.removeImage(changed);
      runCommand(['sync']);
    },
    work: async () => {
      await endpoint.pull(changed);
    },
  });
  const runs = setting.options.runs ?? DEFAULT_RUNS;
  const [sampan = [], other] = await inTurn(setting.endpoints.map(contestant), runs);
  const what = 'pull of the same image with one changed layer';
  return { what, unit: 'ms', sampan, other, otherName: 'Docker', goal: 1 / 2 };
}
