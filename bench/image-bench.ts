import type { BenchRow } from './bench-row.ts';
import type { Endpoint } from './endpoint.ts';
import { type Contestant, inTurn } from './in-turn.ts';
import { runCommand } from './run-command.ts';
import type { Setting } from './setting.ts';

const DEFAULT_RUNS = 3;

/** Pull and removal of the image of many layers, over the API, so that no client's start-up is in the figures. */
export async function imageBench(setting: Setting): Promise<{ pull: BenchRow; remove: BenchRow }> {
  const image = await setting.layered();
  const runs = setting.options.runs ?? DEFAULT_RUNS;
  const removals = new Map<Endpoint, number[]>(setting.endpoints.map((endpoint) => [endpoint, []]));
  const contestant = (endpoint: Endpoint): Contestant => ({
    before: async () => {
      await endpoint.removeImage(image);
      runCommand(['sync']);
    },
    work: async () => {
      const started = performance.now();
      const { reused } = await endpoint.pull(image);
      const took = performance.now() - started;
      if (reused) throw new Error(`${endpoint.name} still had layers of the image it had removed`);
      removals.get(endpoint)?.push(await timeRemoval(endpoint, image));
      return took;
    },
  });
  const [sampan = [], other] = await inTurn(setting.endpoints.map(contestant), runs);
  const { layers, files, megabytes } = setting.options.image;
  const common = { unit: 'ms', otherName: 'Docker' } as const;
  const size = `${megabytes} MB, ${files} files, ${layers} layers`;
  const removed = (endpoint: Endpoint | undefined) =>
    endpoint === undefined ? undefined : removals.get(endpoint)?.slice(1);
  return {
    pull: { ...common, what: `pull from a local registry (${size})`, sampan, other, goal: 1 / 3 },
    remove: {
      ...common,
      what: 'removal of that image',
      sampan: removed(setting.sampan) ?? [],
      other: removed(setting.peer),
      goal: 1 / 10,
    },
  };
}

async function timeRemoval(endpoint: Endpoint, image: string): Promise<number> {
  // What a pull left to be written must not be waited for here.
  runCommand(['sync']);
  const started = performance.now();
  await endpoint.removeImage(image);
  return performance.now() - started;
}
