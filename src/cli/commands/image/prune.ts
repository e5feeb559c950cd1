import type { Command } from '../../command.ts';
import { humanSize } from '../../output/human-size.ts';
import { confirm } from '../confirm.ts';
import { PRUNE_FLAGS, parseFilters } from '../filters.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [
    { name: 'all', short: 'a', kind: 'bool', usage: 'Remove all unused images, not only dangling ones' },
    ...PRUNE_FLAGS,
  ],
  args: { min: 0, max: 0 },
  async run({ context, client, flags }) {
    const all = flags.bool('all');
    if (!flags.bool('force'))
      await confirm(
        context,
        all
          ? 'WARNING! This will remove all images without at least one container associated to them.\nAre you sure you want to continue?'
          : 'WARNING! This will remove all dangling images.\nAre you sure you want to continue?',
      );
    const filters = { ...parseFilters(flags.list('filter')), dangling: [all ? 'false' : 'true'] };
    const { ImagesDeleted, SpaceReclaimed } = await client.images.prune(filters);
    const deleted = ImagesDeleted ?? [];
    if (deleted.length > 0) {
      const lines = deleted.map((each) =>
        each.Untagged ? `untagged: ${each.Untagged}` : `deleted: ${each.Deleted ?? ''}`,
      );
      await context.stdout.write(`Deleted Images:\n${lines.join('\n')}\n\n`);
    }
    await context.stdout.write(`Total reclaimed space: ${humanSize(SpaceReclaimed ?? 0)}\n`);
    return 0;
  },
};
