import { parseByteSize } from '../../../wire/byte-size.ts';
import type { Command } from '../../command.ts';
import type { CliContext } from '../../context.ts';
import { parseAge } from '../../flags/age.ts';
import type { ParsedFlags } from '../../flags/flag-set.ts';
import { deletedImages } from '../../output/deleted-images.ts';
import { humanSize } from '../../output/human-size.ts';
import { confirm } from '../confirm.ts';
import { PRUNE_FLAGS, pruneFilters } from '../filters.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [
    { name: 'all', short: 'a', kind: 'bool', usage: 'Remove all unused images, not only dangling ones' },
    {
      name: 'keep-size',
      kind: 'bytes',
      usage: 'Of all unused images remove the longest unused, until no more than this is left (20GB)',
    },
    ...PRUNE_FLAGS,
    {
      name: 'unused-for',
      kind: 'string',
      typeName: 'duration',
      usage: 'Remove all images that were not used for so long (30d, 2w, 36h)',
      check: refuseAge,
    },
  ],
  args: { min: 0, max: 0 },
  sinceApi: '1.25',
  examples: [
    'image prune',
    'image prune -a --filter until=24h',
    'image prune --unused-for 30d --keep-size 20GB',
  ],
  async run({ context, client, flags }) {
    const byUse = flags.changed('unused-for') || flags.changed('keep-size');
    const all = flags.bool('all') || byUse;
    if (!flags.bool('force')) await confirm(context, warning(flags, all));
    const filters = await filtersOf(context, flags, all);
    const { ImagesDeleted, SpaceReclaimed } = await client.images.prune(filters);
    const deleted = ImagesDeleted ?? [];
    await context.stdout.write(deletedImages(deleted));
    await context.stdout.write(
      `Total reclaimed space: ${humanSize(deleted.length > 0 ? (SpaceReclaimed ?? 0) : 0)}\n`,
    );
    return 0;
  },
};

function refuseAge(text: string): string | undefined {
  const age = parseAge(text);
  return typeof age === 'string' ? age : undefined;
}

async function filtersOf(
  context: CliContext,
  flags: ParsedFlags,
  all: boolean,
): Promise<Record<string, string[]>> {
  const filters = await pruneFilters(context, flags.list('filter'));
  (filters.dangling ??= []).push(all ? 'false' : 'true');
  if (flags.changed('unused-for')) filters['unused-for'] = [String(parseAge(flags.string('unused-for')))];
  if (flags.changed('keep-size')) filters['keep-size'] = [String(parseByteSize(flags.string('keep-size')))];
  return filters;
}

function warning(flags: ParsedFlags, all: boolean): string {
  const conditions = [
    ...(flags.changed('unused-for') ? [`that were not used for ${flags.string('unused-for')}`] : []),
    ...(flags.changed('keep-size')
      ? [`the longest unused first, until ${flags.string('keep-size')} of images are left`]
      : []),
  ];
  const what =
    conditions.length > 0
      ? `images without a container, ${conditions.join(', ')}`
      : all
        ? 'all images without at least one container associated to them'
        : 'all dangling images';
  return `WARNING! This will remove ${what}.\nAre you sure you want to continue?`;
}
