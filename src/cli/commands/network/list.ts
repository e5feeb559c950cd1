import type { NetworkSummary } from '../../../client/model.ts';
import { parseTime } from '../../../wire/time.ts';
import type { Command } from '../../command.ts';
import { readConfigFile } from '../../config-file.ts';
import { labelList, shortId } from '../../output/labels.ts';
import { formatList, LIST_FORMAT_FLAG } from '../../output/list-format.ts';
import { localTime } from '../../output/local-time.ts';
import { compareNatural } from '../../output/natural-order.ts';
import { Struct } from '../../output/template/value.ts';
import { FILTER_FLAG, parseFilters } from '../filters.ts';

const HEADERS = {
  ID: 'NETWORK ID',
  Name: 'NAME',
  Driver: 'DRIVER',
  Scope: 'SCOPE',
  IPv4: 'IPV4',
  IPv6: 'IPV6',
  Internal: 'INTERNAL',
  Labels: 'LABELS',
  CreatedAt: 'CREATED AT',
};

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [
    FILTER_FLAG,
    LIST_FORMAT_FLAG,
    { name: 'no-trunc', kind: 'bool', usage: 'Show values whole' },
    { name: 'quiet', short: 'q', kind: 'bool', usage: 'Show IDs only' },
  ],
  args: { min: 0, max: 0 },
  async run({ context, client, flags }) {
    const networks = await client.networks.list(parseFilters(flags.list('filter')));
    const truncate = !flags.bool('no-trunc');
    const quiet = flags.bool('quiet');
    const format =
      flags.string('format') || (quiet ? '' : ((await readConfigFile(context)).networksFormat ?? ''));
    const rows = networks
      .toSorted((a, b) => compareNatural(a.Name, b.Name))
      .map((network) => row(network, truncate));
    const text = formatList(rows, {
      format: quiet && (format === '' || format === 'table') ? '{{.ID}}' : format,
      table: '{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}',
      headers: HEADERS,
    });
    await context.stdout.write(text);
    return 0;
  },
};

function row(network: NetworkSummary, truncate: boolean): Struct {
  return new Struct(
    '*network.networkContext',
    {
      CreatedAt: () => createdAt(network.Created),
      Driver: () => network.Driver,
      ID: () => (truncate ? shortId(network.Id) : network.Id),
      IPv4: () => String(network.EnableIPv4 ?? false),
      IPv6: () => String(network.EnableIPv6),
      Internal: () => String(network.Internal),
      Labels: () => labelList(network.Labels),
      Name: () => network.Name,
      Scope: () => network.Scope,
    },
    { Label: (name) => network.Labels?.[String(name)] ?? '' },
  );
}

/** `2026-11-23 23:08:24.233910279 +0000 UTC`: in the zone that the daemon wrote. */
function createdAt(text: string): string {
  const nano = parseTime(text);
  if (nano === undefined) return text;
  const fraction = (nano % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  const whole = localTime(Number(nano / 1_000_000_000n));
  return fraction === '' ? whole : `${whole.slice(0, 19)}.${fraction}${whole.slice(19)}`;
}
