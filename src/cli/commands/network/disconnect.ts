import type { Command } from '../../command.ts';

export const command: Command = {
  usage: '[OPTIONS] NETWORK CONTAINER',
  flags: [
    {
      name: 'force',
      short: 'f',
      kind: 'bool',
      usage: 'Also a container that is gone and has left its place',
    },
  ],
  args: { min: 2, max: 2 },
  examples: ['network disconnect backend web'],
  async run({ client, flags, args }) {
    const [network = '', container = ''] = args;
    await client.networks.disconnect(network, container, { force: flags.bool('force') });
    return 0;
  },
};
