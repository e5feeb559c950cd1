import type { Command } from '../../command.ts';
import { readConfigFile } from '../../config-file.ts';
import { formatList, LIST_FORMAT_FLAG } from '../../output/list-format.ts';
import { compareNatural } from '../../output/natural-order.ts';
import { VOLUME_RAW } from '../../output/raw-formats.ts';
import { VOLUME_HEADERS, volumeRow } from '../../output/volume-row.ts';
import { FILTER_FLAG, parseFilters } from '../filters.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [
    FILTER_FLAG,
    LIST_FORMAT_FLAG,
    { name: 'quiet', short: 'q', kind: 'bool', usage: 'Show names only' },
  ],
  args: { min: 0, max: 0 },
  examples: ['volume ls', 'volume ls -q --filter dangling=true'],
  async run({ context, client, flags }) {
    const { Volumes } = await client.volumes.list(parseFilters(flags.list('filter')));
    const quiet = flags.bool('quiet');
    const given =
      flags.string('format') || (quiet ? '' : ((await readConfigFile(context)).volumesFormat ?? ''));
    const text = formatList(
      (Volumes ?? []).toSorted((a, b) => compareNatural(a.Name, b.Name)).map(volumeRow),
      { format: formatOf(given, quiet), table: '{{.Driver}}\t{{.Name}}', headers: VOLUME_HEADERS },
    );
    await context.stdout.write(text);
    return 0;
  },
};

/** `--quiet` makes another list of the named formats, and leaves a template as it is. */
function formatOf(format: string, quiet: boolean): string {
  if (format === 'raw') return quiet ? 'name: {{.Name}}' : VOLUME_RAW;
  return quiet && (format === '' || format === 'table') ? '{{.Name}}' : format;
}
