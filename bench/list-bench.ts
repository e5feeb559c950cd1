import { smallRoot } from './bench-image.ts';
import type { BenchRow } from './bench-row.ts';
import type { Endpoint } from './endpoint.ts';
import { type Contestant, inTurn } from './in-turn.ts';
import type { Setting } from './setting.ts';

const IMAGES = 500;
const DEFAULT_RUNS = 10;

/** `image ls` where there are many images, from the shell, each daemon with its own client. */
export async function listBench(setting: Setting): Promise<BenchRow> {
  for (const endpoint of setting.endpoints) await fill(setting, endpoint);
  const stock = setting.dockerCli ?? '';
  const contestant = (endpoint: Endpoint): Contestant => ({
    work: () =>
      setting.runClient(endpoint === setting.sampan ? setting.sampanCli : stock, endpoint, ['image', 'ls']),
  });
  const runs = setting.options.runs ?? DEFAULT_RUNS;
  const [sampan = [], other] = await inTurn(setting.endpoints.map(contestant), runs);
  const what = `\`image ls\` with ${IMAGES} images, each with its own client`;
  return { what, unit: 'ms', sampan, other, otherName: 'Docker', goal: 1 / 2 };
}

async function fill(setting: Setting, endpoint: Endpoint): Promise<void> {
  const references = Array.from({ length: IMAGES }, (_, number) => `sampan-bench-list:${number}`);
  setting.undoLater(`${IMAGES} images`, async () => {
    for (const reference of references) await endpoint.removeImage(reference);
  });
  for (const [number, reference] of references.entries())
    await endpoint.importTar(reference, await smallRoot(number));
}
