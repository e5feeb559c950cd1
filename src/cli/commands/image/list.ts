import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { readConfigFile } from '../../config-file.ts';
import type { Invocation } from '../../context.ts';
import { IMAGE_DIGEST_TABLE, IMAGE_HEADERS, IMAGE_TABLE, imageRows } from '../../output/image-rows.ts';
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
    { name: 'tree', kind: 'bool', usage: 'Show the platforms of each image', hidden: true },
  ],
  args: { min: 0, max: 1 },
  examples: [
    'images',
    'image ls --filter dangling=true -q',
    "images --format '{{.Repository}}:{{.Tag}} {{.Size}}'",
  ],
  run,
};

async function run({ context, client, flags, args }: Invocation): Promise<number> {
  if (flags.bool('tree')) throw new EngineError('not-implemented', 'Cannot list images as a tree yet');
  const filters = parseFilters(flags.list('filter'));
  const [reference] = args;
  if (reference !== undefined) (filters.reference ??= []).push(reference);
  const quiet = flags.bool('quiet');
  const digests = flags.bool('digests');
  const images = await client.images.list({ all: flags.bool('all'), filters });
  const options = { truncate: !flags.bool('no-trunc'), digests, now: context.now() };
  const format =
    flags.string('format') || (quiet ? '' : ((await readConfigFile(context)).imagesFormat ?? ''));
  const isTable = format === '' || format === 'table';
  const wantsDigest = digests || /\{\{[^}]*\.Digest\b/.test(format);
  const rows = images.flatMap((image) => {
    const each = imageRows(image, { ...options, digests: wantsDigest });
    return each;
  });
  const text = formatList(rows, {
    format:
      quiet && isTable
        ? '{{.ID}}'
        : format === 'raw'
          ? quiet
            ? 'image_id: {{.ID}}'
            : IMAGE_RAW(digests)
          : format,
    table: digests ? IMAGE_DIGEST_TABLE : IMAGE_TABLE,
    headers: IMAGE_HEADERS,
  });
  await context.stdout.write(text);
  return 0;
}
