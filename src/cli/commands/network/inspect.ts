import type { Command } from '../../command.ts';
import { INSPECT_FORMAT_FLAG, inspectObjects } from '../inspect-objects.ts';

export const command: Command = {
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  flags: [
    INSPECT_FORMAT_FLAG,
    { name: 'verbose', short: 'v', kind: 'bool', usage: 'Show what helps to find faults' },
  ],
  args: { min: 1 },
  run: ({ context, client, flags, args }) =>
    inspectObjects(context, args, {
      format: flags.string('format'),
      get: (name) => client.networks.inspectText(name, { verbose: flags.bool('verbose') }),
    }),
};
