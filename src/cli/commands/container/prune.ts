import type { Command } from '../../command.ts';
import { humanSize } from '../../output/human-size.ts';
import { confirm } from '../confirm.ts';
import { PRUNE_FLAGS, pruneFilters } from '../filters.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  flags: PRUNE_FLAGS,
  args: { min: 0, max: 0 },
  sinceApi: '1.25',
  async run({ context, client, flags }) {
    if (!flags.bool('force'))
      await confirm(
        context,
        'WARNING! This will remove all stopped containers.\nAre you sure you want to continue?',
      );
    const { ContainersDeleted, SpaceReclaimed } = await client.containers.prune(
      await pruneFilters(context, flags.list('filter')),
    );
    const deleted = ContainersDeleted ?? [];
    if (deleted.length > 0) await context.stdout.write(`Deleted Containers:\n${deleted.join('\n')}\n\n`);
    await context.stdout.write(`Total reclaimed space: ${humanSize(SpaceReclaimed ?? 0)}\n`);
    return 0;
  },
};
