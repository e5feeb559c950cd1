import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { readConfigFile } from '../../config-file.ts';
import type { Invocation } from '../../context.ts';
import {
  IMAGE_DIGEST_TABLE,
  IMAGE_HEADERS,
  IMAGE_TABLE,
  imageRows,
  isDangling,
} from '../../output/image-rows.ts';
import { formatList, LIST_FORMAT_FLAG } from '../../output/list-format.ts';
import { IMAGE_RAW } from '../../output/raw-formats.ts';
import { FILTER_FLAG, parseFilters } from '../filters.ts';

export const command: Command = {
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  flags: [
    { name: 'all', short: 'a', kind: 'bool', usage: 'Show intermediate images too' },
    { name: 'digests', kind: 'bool', usage: 'Show digests' },
    FILTER_FLAG,
    LIST_FORMAT_FLAG,
    { name: 'no-trunc', kind: 'bool', usage: 'Show values whole' },
    { name: 'quiet', short: 'q', kind: 'bool', usage: 'Show IDs only' },
    { name: 'tree', sinceApi: '1.47', kind: 'bool', usage: 'Show the platforms of each image below it' },
  ],
  args: { min: 0, max: 1 },
  examples: [
    'images',
    'image ls --filter dangling=true -q',
    "images --format '{{.Repository}}:{{.Tag}} {{.Size}}'",
  ],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const { context, client, flags, args, path } = invocation;
  const filters = parseFilters(flags.list('filter'));
  const [reference] = args;
  if (reference !== undefined && reference !== '') (filters.reference ??= []).push(reference);
  if (flags.bool('tree')) return listAsTree(invocation, filters);
  const quiet = flags.bool('quiet');
  const digests = flags.bool('digests');
  const images = await client.images.list({ all: flags.bool('all'), filters });
  const format =
    flags.string('format') || (quiet ? '' : ((await readConfigFile(context)).imagesFormat ?? '')) || 'table';
  const options = {
    truncate: !flags.bool('no-trunc'),
    digests: digests || format.includes('{{.Digest}}'),
    now: context.now(),
  };
  const text = formatList(
    images.flatMap((image) => imageRows(image, options)),
    {
      format: formatOf(format, { quiet, digests }),
      table: digests ? IMAGE_DIGEST_TABLE : IMAGE_TABLE,
      headers: IMAGE_HEADERS,
    },
  );
  await context.stdout.write(text);
  if (images.length === 0 && path === 'images' && VERBS.has(reference ?? ''))
    await context.stderr.write(
      `\nNo images found matching ${JSON.stringify(reference)}: did you mean "${context.program} image ${reference}"?\n`,
    );
  return 0;
}

function formatOf(format: string, { quiet, digests }: { quiet: boolean; digests: boolean }): string {
  if (format === 'table') return quiet ? '{{.ID}}' : 'table';
  if (format === 'raw') return quiet ? 'image_id: {{.ID}}' : IMAGE_RAW(digests);
  const lacksDigest = digests && format.startsWith('table') && !format.includes('{{.Digest}}');
  return lacksDigest ? `${format}\t{{.Digest}}` : format;
}

/** What people say when they mean `image …`. */
const VERBS = new Set([
  'build',
  'history',
  'import',
  'inspect',
  'list',
  'load',
  'ls',
  'prune',
  'pull',
  'push',
  'rm',
  'save',
  'tag',
]);

const NOT_WITH_TREE = {
  quiet: '--quiet',
  'no-trunc': '--no-trunc',
  digests: '--show-digest',
  format: '--format',
} as const;

async function listAsTree({ context, client, flags }: Invocation, filters: Filters): Promise<number> {
  for (const [name, shown] of Object.entries(NOT_WITH_TREE))
    if (name === 'format' ? flags.string(name) !== '' : flags.bool(name))
      throw new EngineError('invalid', `${shown} is not yet supported with --tree`);
  const all = flags.bool('all');
  const images = await client.images.list({ all, manifests: true, filters });
  const { imageTree } = await import('../../output/image-tree.ts');
  const shown = all ? images : images.filter((image) => !isDangling(image));
  const { width } = context.stdout.size();
  await context.stdout.write(imageTree(shown, { terminal: context.stdout.isTerminal, width }));
  return 0;
}

type Filters = ReturnType<typeof parseFilters>;
