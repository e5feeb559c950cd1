import type { Command } from '../../command.ts';
import { readConfigFile } from '../../config-file.ts';
import type { Invocation } from '../../context.ts';
import { CONTAINER_HEADERS, CONTAINER_TABLE, containerRow } from '../../output/container-row.ts';
import { formatList, LIST_FORMAT_FLAG } from '../../output/list-format.ts';
import { CONTAINER_RAW } from '../../output/raw-formats.ts';
import { FILTER_FLAG, parseFilters } from '../filters.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [
    { name: 'all', short: 'a', kind: 'bool', usage: 'Show all containers, not only running ones' },
    FILTER_FLAG,
    LIST_FORMAT_FLAG,
    {
      name: 'last',
      short: 'n',
      kind: 'int',
      usage: 'Show the n containers created last, in any state',
      default: '-1',
    },
    { name: 'latest', short: 'l', kind: 'bool', usage: 'Show the container created last, in any state' },
    { name: 'no-trunc', kind: 'bool', usage: 'Show values whole' },
    { name: 'quiet', short: 'q', kind: 'bool', usage: 'Show IDs only' },
    { name: 'size', short: 's', kind: 'bool', usage: 'Show sizes' },
  ],
  args: { min: 0, max: 0 },
  examples: ['ps -a', 'ps --filter status=exited --quiet', "ps --format 'table {{.Names}}\\t{{.Status}}'"],
  run,
};

async function run({ context, client, flags }: Invocation): Promise<number> {
  const quiet = flags.bool('quiet');
  const format = flags.string('format') || (quiet ? '' : ((await readConfigFile(context)).psFormat ?? ''));
  if (quiet && flags.string('format') !== '')
    await context.stderr.write(
      'WARNING: Ignoring custom format, because both --format and --quiet are set.\n',
    );
  const last = flags.bool('latest') && flags.int('last') === -1 ? 1 : flags.int('last');
  const size = flags.bool('size') || /\{\{[^}]*(?:\.Size\b|\bjson \.\s*\}\})/.test(format);
  const containers = await client.containers.list({
    all: flags.bool('all') || last > 0,
    ...(last > 0 ? { limit: last } : {}),
    size,
    filters: parseFilters(flags.list('filter')),
  });
  const options = { truncate: !flags.bool('no-trunc'), now: context.now() };
  const rows = containers.map((container) => containerRow(container, options));
  const text = formatList(rows, {
    format:
      format === 'raw'
        ? quiet
          ? 'container_id: {{.ID}}'
          : CONTAINER_RAW(flags.bool('size'))
        : quiet
          ? '{{.ID}}'
          : format,
    table: flags.bool('size') ? `${CONTAINER_TABLE}\t{{.Size}}` : CONTAINER_TABLE,
    headers: CONTAINER_HEADERS,
    errors: { parse: 'failed to parse template', execute: 'failed to execute template' },
  });
  await context.stdout.write(text);
  return 0;
}
