import type { Command } from '../../command.ts';
import { eachName } from '../each-name.ts';

export const command: Command = {
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  flags: [
    {
      name: 'force',
      short: 'f',
      kind: 'bool',
      sinceApi: '1.25',
      usage: 'Take one that is not there as removed',
    },
  ],
  args: { min: 1 },
  run: async ({ context, client, flags, args }) => {
    const force = flags.bool('force');
    // One after the other: of a name that is given twice the second is absent.
    return await eachName(context, args, (name) => client.volumes.remove(name, { force }), { atOnce: 1 });
  },
};
