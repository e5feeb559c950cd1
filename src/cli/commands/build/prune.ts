import { parseByteSize } from '../../../wire/byte-size.ts';
import type { Command } from '../../command.ts';
import { humanSize } from '../../output/human-size.ts';
import { confirm } from '../confirm.ts';
import { PRUNE_FLAGS, pruneFilters } from '../filters.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [
    { name: 'all', short: 'a', kind: 'bool', usage: 'Remove all build cache, not only what is unused' },
    { name: 'keep-storage', kind: 'bytes', usage: 'Leave that much of the cache' },
    ...PRUNE_FLAGS,
  ],
  args: { min: 0, max: 0 },
  sinceApi: '1.31',
  examples: ['builder prune', 'builder prune --filter until=24h --keep-storage 5GB -f'],
  async run({ context, client, flags }) {
    const what = flags.bool('all') ? 'all build cache' : 'all dangling build cache';
    if (!flags.bool('force'))
      await confirm(context, `WARNING! This will remove ${what}. Are you sure you want to continue?`);
    const keep = parseByteSize(flags.string('keep-storage'));
    const { CachesDeleted, SpaceReclaimed = 0 } = await client.builds.prune({
      all: flags.bool('all'),
      ...(typeof keep === 'bigint' && keep > 0n ? { keepStorage: Number(keep) } : {}),
      filters: await pruneFilters(context, flags.list('filter')),
    });
    const deleted = CachesDeleted ?? [];
    if (deleted.length > 0)
      await context.stdout.write(`Deleted build cache objects:\n${deleted.join('\n')}\n\n`);
    await context.stdout.write(`Total reclaimed space: ${humanSize(SpaceReclaimed)}\n`);
    return 0;
  },
};
