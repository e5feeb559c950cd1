import { kindOf } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { eachName } from '../each-name.ts';

export const command: Command = {
  usage: 'NETWORK [NETWORK...]',
  flags: [{ name: 'force', short: 'f', kind: 'bool', usage: 'Take one that is not there as removed' }],
  args: { min: 1 },
  examples: ['network rm backend frontend', 'network rm $(sampan network ls -q -f dangling=true)'],
  run: async ({ context, client, flags, args }) => {
    const force = flags.bool('force');
    const removed = new Set<string>();
    return await eachName(
      context,
      args,
      async (name) => {
        try {
          await client.networks.remove(name);
          removed.add(name);
        } catch (error) {
          if (!force || kindOf(error) !== 'not-found') throw error;
        }
      },
      { atOnce: 1, print: (name) => (removed.has(name) ? `${name}\n` : '') },
    );
  },
};
