import type { BenchRow } from './bench-row.ts';
import type { Endpoint } from './endpoint.ts';
import { type Contestant, inTurn } from './in-turn.ts';
import type { PrivateSampan } from './private-sampan.ts';
import { runCommand } from './run-command.ts';
import type { Setting } from './setting.ts';
import { waitUntil } from './wait.ts';

const DEFAULT_RUNS = 3;

/** Pull and removal of the image of many layers, over the API, so that no client's start-up is in the figures. */
export async function imageBench(setting: Setting): Promise<{ pull: BenchRow; remove: BenchRow[] }> {
  const image = await setting.layered();
  const runs = setting.options.runs ?? DEFAULT_RUNS;
  const freed: number[] = [];
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
      const emptied = endpoint === setting.sampan ? setting.ownDaemon : undefined;
      const removal = await timeRemoval(endpoint, image, emptied);
      removals.get(endpoint)?.push(removal.answered);
      if (removal.freed !== undefined) freed.push(removal.freed);
      return took;
    },
  });
  const [sampan = [], other] = await inTurn(setting.endpoints.map(contestant), runs);
  const { layers, files, megabytes } = setting.options.image;
  const common = { unit: 'ms', otherName: 'Docker' } as const;
  const size = `${megabytes} MB, ${files} files, ${layers} layers`;
  const removed = (endpoint: Endpoint) => removals.get(endpoint)?.slice(1) ?? [];
  const others = setting.peer === undefined ? undefined : removed(setting.peer);
  const removal = { ...common, other: others, goal: 1 / 10 };
  return {
    pull: { ...common, what: `pull from a local registry (${size})`, sampan, other, goal: 1 / 3 },
    remove: [
      { ...removal, what: 'removal of that image, to the answer', sampan: removed(setting.sampan) },
      ...(freed.length < 2
        ? []
        : [
            {
              ...removal,
              what: 'removal of that image, until its disk space is free (Docker: to the answer)',
              sampan: freed.slice(1),
            },
          ]),
    ],
  };
}

/** Milliseconds until the answer and, where the daemon's own disk can be watched, until most of the image's space is free. */
async function timeRemoval(
  endpoint: Endpoint,
  image: string,
  watched: PrivateSampan | undefined,
): Promise<{ answered: number; freed: number | undefined }> {
  // What a pull left to be written must not be waited for here.
  runCommand(['sync']);
  const full = watched?.diskBytes() ?? 0;
  const started = performance.now();
  await endpoint.removeImage(image);
  const answered = performance.now() - started;
  if (watched === undefined) return { answered, freed: undefined };
  await waitUntil('The disk space', () => watched.diskBytes() < full / 10, { everyMs: 1 });
  return { answered, freed: performance.now() - started };
}
