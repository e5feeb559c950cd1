import type { Command } from '../../command.ts';
import { deletedImages } from '../../output/deleted-images.ts';
import { humanSize } from '../../output/human-size.ts';
import { confirm } from '../confirm.ts';
import { PRUNE_FLAGS, pruneFilters } from '../filters.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [
    { name: 'all', short: 'a', kind: 'bool', usage: 'Remove all unused images, not only dangling ones' },
    ...PRUNE_FLAGS,
  ],
  args: { min: 0, max: 0 },
  sinceApi: '1.25',
  async run({ context, client, flags }) {
    const all = flags.bool('all');
    const images = all ? 'images without at least one container associated to them' : 'dangling images';
    if (!flags.bool('force'))
      await confirm(
        context,
        `WARNING! This will remove:\n  - all stopped containers\n  - all ${images}\n\nAre you sure you want to continue?`,
      );
    const filters = await pruneFilters(context, flags.list('filter'));
    const containers = await client.containers.prune(filters);
    const pruned = await client.images.prune({ ...filters, dangling: [all ? 'false' : 'true'] });
    const removed = containers.ContainersDeleted ?? [];
    if (removed.length > 0) await context.stdout.write(`Deleted Containers:\n${removed.join('\n')}\n\n`);
    await context.stdout.write(deletedImages(pruned.ImagesDeleted ?? []));
    const space = (containers.SpaceReclaimed ?? 0) + (pruned.SpaceReclaimed ?? 0);
    await context.stdout.write(`Total reclaimed space: ${humanSize(space)}\n`);
    return 0;
  },
};
