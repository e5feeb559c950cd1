import { stringifyJson } from '../../../wire/json.ts';
import { ExitError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import {
  USAGE_HEADERS,
  USAGE_RAW,
  USAGE_TABLE,
  type UsageDetails,
  usageDetails,
  usageRows,
  usageTables,
} from '../../output/disk-usage.ts';
import { formatList, LIST_FORMAT_FLAG } from '../../output/list-format.ts';
import { CACHE_RAW, CONTAINER_RAW, IMAGE_RAW, VOLUME_RAW } from '../../output/raw-formats.ts';
import { toJson } from '../../output/template/functions.ts';
import { Template } from '../../output/template/template.ts';
import { TemplateError } from '../../output/template/template-error.ts';
import { Struct } from '../../output/template/value.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [
    LIST_FORMAT_FLAG,
    { name: 'verbose', short: 'v', kind: 'bool', usage: 'Show every image, container, volume and cache' },
  ],
  args: { min: 0, max: 0 },
  sinceApi: '1.25',
  examples: ['system df', 'system df -v', "system df --format '{{.Type}}: {{.Reclaimable}}'"],
  async run({ context, client, flags }) {
    const usage = await client.system.diskUsage();
    const format = flags.string('format') || 'table';
    if (!flags.bool('verbose')) {
      const text = formatList(usageRows(usage), {
        format: format === 'raw' ? USAGE_RAW : format,
        table: USAGE_TABLE,
        headers: USAGE_HEADERS,
      });
      await context.stdout.write(text);
      return 0;
    }
    const details = usageDetails(usage, { truncate: format.startsWith('table'), now: context.now() });
    await context.stdout.write(format === 'table' ? usageTables(usage, details) : formatted(details, format));
    return 0;
  },
};

const RAW_DETAILS =
  `{{range .Images}}type: Image\n${IMAGE_RAW(true)}\n{{end -}}\n` +
  `{{range .Containers}}type: Container\n${CONTAINER_RAW(true)}\n{{end -}}\n` +
  `{{range .Volumes}}type: Volume\n${VOLUME_RAW}\n{{end -}}\n` +
  `{{range .BuildCache}}type: Build Cache\n${CACHE_RAW}\n{{end -}}`;

/** One template over all lists; Docker ends it without a line break. */
function formatted(details: UsageDetails, format: string): string {
  const source = (
    format === 'raw' ? RAW_DETAILS : format === 'json' ? '{{json .}}' : format.replace(/^table */, '')
  )
    .trim()
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n');
  // Its lists stay in Docker's order, where other structs have their fields sorted.
  if (source === '{{json .}}') return stringifyJson(toJson({ ...details }), { escapeHtml: true });
  const { Images, Containers, Volumes, BuildCache } = details;
  try {
    return new Template(source).execute(
      new Struct('*formatter.diskUsageContext', {
        Images: () => Images,
        Containers: () => Containers,
        Volumes: () => Volumes,
        BuildCache: () => BuildCache,
      }),
    );
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new ExitError(
      1,
      error.phase === 'parse' ? `template parsing error: ${error.message}` : error.message,
    );
  }
}
