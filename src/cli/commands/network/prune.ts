import type { Command } from '../../command.ts';
import { confirm } from '../confirm.ts';
import { PRUNE_FLAGS, pruneFilters } from '../filters.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  flags: PRUNE_FLAGS,
  args: { min: 0, max: 0 },
  examples: ['network prune', 'network prune -f --filter until=24h --filter label!=keep'],
  async run({ context, client, flags }) {
    const filters = await pruneFilters(context, flags.list('filter'));
    if (!flags.bool('force'))
      await confirm(
        context,
        'WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue?',
      );
    const deleted = (await client.networks.prune(filters)).NetworksDeleted ?? [];
    if (deleted.length > 0) await context.stdout.write(`Deleted Networks:\n${deleted.join('\n')}\n\n`);
    return 0;
  },
};
