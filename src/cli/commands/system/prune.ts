import type { EngineClient } from '../../../client/engine-client.ts';
import type { PruneResult } from '../../../client/model.ts';
import { encodeFilters } from '../../../client/query.ts';
import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { deletedImages } from '../../output/deleted-images.ts';
import { humanSize } from '../../output/human-size.ts';
import { compareNatural } from '../../output/natural-order.ts';
import { confirm } from '../confirm.ts';
import { PRUNE_FLAGS, parseFilters, pruneFilters } from '../filters.ts';

type Filters = Readonly<Record<string, readonly string[]>>;

interface Choice {
  all: boolean;
  volumes: boolean;
}

/** What goes one after the other, and how it is told. */
interface Step {
  warning: string;
  prune(this: void, client: EngineClient, filters: Filters): Promise<PruneResult>;
  report(this: void, result: PruneResult): string;
}

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [
    { name: 'all', short: 'a', kind: 'bool', usage: 'Remove all unused images, not only dangling ones' },
    { name: 'volumes', kind: 'bool', usage: 'Remove anonymous volumes too' },
    ...PRUNE_FLAGS,
  ],
  args: { min: 0, max: 0 },
  sinceApi: '1.25',
  examples: ['system prune', 'system prune --all --volumes', 'system prune --filter until=24h -f'],
  async run({ context, client, flags }) {
    const given = flags.list('filter');
    const choice = { all: flags.bool('all'), volumes: flags.bool('volumes') };
    if (choice.volumes && parseFilters(given)['until'] !== undefined)
      throw new EngineError('invalid', 'ERROR: The "until" filter is not supported with "--volumes"');
    const steps = stepsOf(choice);
    if (!flags.bool('force')) await confirm(context, warningOf(steps, parseFilters(given)));
    const filters = await pruneFilters(context, given);
    let space = 0;
    for (const { prune, report } of steps) {
      const result = await prune(client, filters);
      space += result.SpaceReclaimed ?? 0;
      await context.stdout.write(report(result));
    }
    await context.stdout.write(`Total reclaimed space: ${humanSize(space)}\n`);
    return 0;
  },
};

function stepsOf({ all, volumes }: Choice): Step[] {
  const volumeStep: Step = {
    warning: 'all anonymous volumes not used by at least one container',
    prune: (client, filters) => client.volumes.prune(filters),
    report: ({ VolumesDeleted }) => deletedList('Deleted Volumes', VolumesDeleted),
  };
  return [
    {
      warning: 'all stopped containers',
      prune: (client, filters) => client.containers.prune(filters),
      report: ({ ContainersDeleted }) => deletedList('Deleted Containers', ContainersDeleted),
    },
    {
      warning: 'all networks not used by at least one container',
      prune: (client, filters) =>
        client.connection.json('POST', '/networks/prune', { query: { filters: encodeFilters(filters) } }),
      report: ({ NetworksDeleted }) => deletedList('Deleted Networks', NetworksDeleted),
    },
    ...(volumes ? [volumeStep] : []),
    {
      warning: all ? 'all images without at least one container associated to them' : 'all dangling images',
      prune: (client, filters) => client.images.prune({ ...filters, dangling: [all ? 'false' : 'true'] }),
      report: ({ ImagesDeleted }) => deletedImages(ImagesDeleted ?? []),
    },
    {
      warning: all ? 'all build cache' : 'unused build cache',
      prune: (client, filters) => client.builds.prune({ all, filters }),
      report: ({ CachesDeleted }) => deletedList('Deleted build cache objects', CachesDeleted),
    },
  ];
}

function warningOf(steps: readonly Step[], filters: Filters): string {
  const items = Object.entries(filters).flatMap(([name, values]) =>
    values.map((value) => `${name}=${value}`),
  );
  const list = (lines: readonly string[]) => lines.map((line) => `  - ${line}\n`).join('');
  const filtered =
    items.length === 0
      ? ''
      : `\n  Items to be pruned will be filtered with:\n${list(items.sort(compareNatural))}`;
  const removed = list(steps.map(({ warning }) => warning));
  return `WARNING! This will remove:\n${removed}${filtered}\nAre you sure you want to continue?`;
}

function deletedList(title: string, names: readonly string[] | null | undefined): string {
  return names === undefined || names === null || names.length === 0
    ? ''
    : `${title}:\n${names.join('\n')}\n\n`;
}
