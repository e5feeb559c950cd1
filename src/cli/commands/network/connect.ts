import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { pairs } from '../volume/attributes.ts';

export const command: Command = {
  usage: '[OPTIONS] NETWORK CONTAINER',
  flags: [
    { name: 'alias', kind: 'strings', usage: 'Another name of the container on this network' },
    { name: 'driver-opt', kind: 'strings', usage: 'Options of the driver for this container (name=value)' },
    {
      name: 'gw-priority',
      kind: 'int',
      usage: 'The network with the highest is the way out of the container',
    },
    { name: 'ip', kind: 'string', usage: 'IPv4 address' },
    { name: 'ip6', kind: 'string', usage: 'IPv6 address' },
    { name: 'link', kind: 'list', usage: 'Name another container for this one (container:name)' },
    { name: 'link-local-ip', kind: 'strings', usage: 'Link-local address' },
  ],
  args: { min: 2, max: 2 },
  examples: ['network connect backend web', 'network connect --alias db --ip 10.1.0.9 backend postgres'],
  async run({ client, flags, args }) {
    const [network = '', container = ''] = args;
    const options = flags.list('driver-opt');
    if (options.some((option) => !option.includes('=')))
      throw new EngineError('invalid', 'invalid key/value pair format in driver options');
    await client.networks.connect(network, container, {
      IPAMConfig: {
        IPv4Address: flags.string('ip'),
        IPv6Address: flags.string('ip6'),
        LinkLocalIPs: flags.list('link-local-ip'),
      },
      Links: flags.list('link'),
      Aliases: flags.list('alias'),
      DriverOpts: pairs(options),
      GwPriority: Number(flags.string('gw-priority')) || 0,
    });
    return 0;
  },
};
