import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchRow } from './bench-row.ts';
import type { Endpoint } from './endpoint.ts';
import { type Contestant, inTurn } from './in-turn.ts';
import { runCommand } from './run-command.ts';
import type { Setting } from './setting.ts';

const DEFAULT_RUNS = 3;
const GOAL = 1 / 2;
export const moveNames = ['save', 'load', 'push'] as const;
export type MoveName = (typeof moveNames)[number];

/** What carries the image of many layers out of a daemon and into it, over the API. */
export async function moveBench(setting: Setting, names: readonly MoveName[]): Promise<BenchRow[]> {
  const image = await setting.layered();
  for (const endpoint of setting.endpoints) await endpoint.pull(image);
  const works: Record<MoveName, { what: string; contestant: (endpoint: Endpoint) => Contestant }> = {
    save: {
      what: 'save of that image to a file',
      contestant: (endpoint) => saving(setting, endpoint, image),
    },
    load: { what: 'load of that file', contestant: (endpoint) => loading(setting, endpoint, image) },
    push: {
      what: 'push of that image to an empty local registry',
      contestant: (e) => pushing(setting, e, image),
    },
  };
  const rows: BenchRow[] = [];
  for (const name of names) {
    const { what, contestant } = works[name];
    const runs = setting.options.runs ?? DEFAULT_RUNS;
    const [sampan = [], other] = await inTurn(setting.endpoints.map(contestant), runs);
    rows.push({ what, unit: 'ms', sampan, other, otherName: 'Docker', goal: GOAL });
  }
  return rows;
}

function archiveOf(setting: Setting, endpoint: Endpoint): string {
  return join(setting.folder, `${endpoint.name}.tar`);
}

function saving(setting: Setting, endpoint: Endpoint, image: string): Contestant {
  return {
    before: () => runCommand(['sync']),
    work: () => endpoint.save(image, archiveOf(setting, endpoint)),
  };
}

/** Each daemon loads what it saved itself. */
function loading(setting: Setting, endpoint: Endpoint, image: string): Contestant {
  const archive = archiveOf(setting, endpoint);
  return {
    before: async () => {
      if (statSync(archive, { throwIfNoEntry: false }) === undefined) await endpoint.save(image, archive);
      await endpoint.removeImage(image);
      runCommand(['sync']);
    },
    work: () => endpoint.load(archive),
  };
}

/** To a new registry each time: nothing of the image is there, and nothing can be mounted. */
function pushing(setting: Setting, endpoint: Endpoint, image: string): Contestant {
  let target = '';
  return {
    before: async () => {
      target = `${await setting.emptyRegistry()}/pushed`;
      await endpoint.tag(image, target, '1');
      const reference = `${target}:1`;
      setting.undoLater(reference, () => endpoint.removeImage(reference));
      runCommand(['sync']);
    },
    work: () => endpoint.push(target, '1'),
  };
}
