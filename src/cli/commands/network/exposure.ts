import type { PortExposure } from '../../../wire/exposure.ts';
import type { Command } from '../../command.ts';
import { formatList, LIST_FORMAT_FLAG } from '../../output/list-format.ts';
import { compareNatural } from '../../output/natural-order.ts';
import { Struct } from '../../output/template/value.ts';

const HEADERS = {
  ContainerID: 'CONTAINER ID',
  Container: 'CONTAINER',
  Network: 'NETWORK',
  Port: 'PORT',
  Published: 'PUBLISHED',
  Address: 'ADDRESS',
  From: 'FROM',
  Reachable: 'REACHABLE',
  Reason: 'REASON',
};

export const command: Command = {
  usage: '[OPTIONS] [CONTAINER...]',
  flags: [
    LIST_FORMAT_FLAG,
    { name: 'published', kind: 'bool', usage: 'Only ports that are published on the host' },
  ],
  args: { min: 0 },
  examples: [
    'network exposure',
    "network exposure --published --format '{{.Address}} {{.From}} {{.Reachable}}'",
  ],
  async run({ context, client, flags, args }) {
    const all = await client.networks.exposure();
    const isWanted = ({ Container, ContainerID, Published }: PortExposure): boolean =>
      (Published || !flags.bool('published')) &&
      (args.length === 0 || args.some((name) => name === Container || ContainerID.startsWith(name)));
    const rows = all
      .filter(isWanted)
      .toSorted((one, other) => compareNatural(one.Container, other.Container))
      .map(row);
    const text = formatList(rows, {
      format: flags.string('format'),
      table: '{{.Container}}\t{{.Port}}\t{{.Address}}\t{{.From}}\t{{.Reachable}}\t{{.Reason}}',
      headers: HEADERS,
    });
    await context.stdout.write(text);
    return 0;
  },
};

function row(one: PortExposure): Struct {
  const address = one.Address.includes(':') ? `[${one.Address}]` : one.Address;
  return new Struct('*network.exposureContext', {
    ContainerID: () => one.ContainerID,
    Container: () => one.Container,
    Network: () => one.Network,
    Port: () => `${one.ContainerPort}/${one.Protocol}`,
    Published: () => String(one.Published),
    Address: () => `${address}:${one.Port}`,
    From: () => one.From,
    Reachable: () => one.Reachable,
    Reason: () => one.Reason,
  });
}
