import type { Command } from '../../command.ts';
import type { ParsedFlags } from '../../flags/flag-set.ts';
import { pairs } from '../volume/attributes.ts';
import { ipamConfigs } from './create-subnets.ts';

export const command: Command = {
  usage: '[OPTIONS] NETWORK',
  flags: [
    { name: 'attachable', kind: 'bool', usage: 'Let containers join it by hand (for swarm networks)' },
    {
      name: 'aux-address',
      kind: 'map',
      shownDefault: 'map[]',
      usage: 'Addresses that are in use elsewhere (name=address)',
    },
    { name: 'config-from', kind: 'string', usage: 'The network to copy the configuration from' },
    { name: 'config-only', kind: 'bool', usage: 'Make a mere configuration' },
    { name: 'driver', short: 'd', kind: 'string', default: 'bridge', usage: 'bridge, macvlan or ipvlan' },
    { name: 'gateway', kind: 'strings', usage: 'Address of the gateway of a subnet' },
    { name: 'ingress', kind: 'bool', usage: "Make swarm's routing mesh" },
    { name: 'internal', kind: 'bool', usage: 'No way out and none in' },
    { name: 'ip-range', kind: 'strings', usage: 'Give containers addresses of this part of a subnet' },
    { name: 'ipam-driver', kind: 'string', default: 'default', usage: 'What gives out addresses' },
    { name: 'ipam-opt', kind: 'map', shownDefault: 'map[]', usage: 'Options of what gives out addresses' },
    { name: 'ipv4', kind: 'bool', default: 'true', usage: 'Give containers IPv4 addresses' },
    { name: 'ipv6', kind: 'bool', usage: 'Give containers IPv6 addresses' },
    { name: 'label', kind: 'list', usage: 'Label the network' },
    { name: 'opt', short: 'o', kind: 'map', shownDefault: 'map[]', usage: 'Options of the driver' },
    { name: 'scope', kind: 'string', usage: 'Scope of the network' },
    { name: 'subnet', kind: 'strings', usage: 'Subnet, as 10.1.0.0/16' },
  ],
  args: { min: 1, max: 1 },
  examples: [
    'network create backend',
    'network create --subnet 10.1.0.0/16 --ip-range 10.1.5.0/24 --gateway 10.1.0.1 backend',
    'network create --internal --ipv6 private',
    'network create -d macvlan -o parent=eth0 --subnet 192.168.1.0/24 --gateway 192.168.1.1 lan',
  ],
  async run({ context, client, flags, args }) {
    const { Id, Warning } = await client.networks.create(createBody(args[0] ?? '', flags));
    if (Warning !== undefined && Warning !== '') await context.stderr.write(`WARNING: ${Warning}\n`);
    await context.stdout.write(`${Id}\n`);
    return 0;
  },
};

function createBody(name: string, flags: ParsedFlags): object {
  const configs = ipamConfigs({
    subnets: flags.list('subnet'),
    ranges: flags.list('ip-range'),
    gateways: flags.list('gateway'),
    aux: pairs(flags.list('aux-address')),
  });
  const from = flags.string('config-from');
  return {
    Name: name,
    Driver: flags.string('driver'),
    Scope: flags.string('scope'),
    ...(flags.changed('ipv4') ? { EnableIPv4: flags.bool('ipv4') } : {}),
    ...(flags.changed('ipv6') ? { EnableIPv6: flags.bool('ipv6') } : {}),
    IPAM: { Driver: flags.string('ipam-driver'), Options: pairs(flags.list('ipam-opt')), Config: configs },
    Internal: flags.bool('internal'),
    Ingress: flags.bool('ingress'),
    Attachable: flags.bool('attachable'),
    ConfigOnly: flags.bool('config-only'),
    ConfigFrom: from === '' ? null : { Network: from },
    Options: pairs(flags.list('opt')),
    Labels: pairs(flags.list('label')),
  };
}
