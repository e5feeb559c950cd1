import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { humanSize } from '../../output/human-size.ts';
import { confirm } from '../confirm.ts';
import { PRUNE_FLAGS, pruneFilters } from '../filters.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [
    {
      name: 'all',
      short: 'a',
      kind: 'bool',
      sinceApi: '1.42',
      usage: 'Remove unused volumes that have a name too',
    },
    ...PRUNE_FLAGS,
  ],
  args: { min: 0, max: 0 },
  sinceApi: '1.25',
  async run({ context, client, flags }) {
    const all = flags.bool('all');
    const filters = await pruneFilters(context, flags.list('filter'));
    if (all && filters['all'] !== undefined)
      throw new EngineError('invalid', 'conflicting options: cannot specify both --all and --filter all=1');
    const what = all ? 'all local volumes' : 'anonymous local volumes';
    if (!flags.bool('force'))
      await confirm(
        context,
        `WARNING! This will remove ${what} not used by at least one container.\nAre you sure you want to continue?`,
      );
    const { VolumesDeleted, SpaceReclaimed } = await client.volumes.prune(
      all ? { ...filters, all: ['true'] } : filters,
    );
    const deleted = VolumesDeleted ?? [];
    if (deleted.length > 0) await context.stdout.write(`Deleted Volumes:\n${deleted.join('\n')}\n\n`);
    const space = deleted.length > 0 ? (SpaceReclaimed ?? 0) : 0;
    await context.stdout.write(`Total reclaimed space: ${humanSize(space)}\n`);
    return 0;
  },
};
