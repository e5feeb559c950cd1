import type { Command } from '../../command.ts';
import { eachName } from '../each-name.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  flags: [{ name: 'signal', short: 's', kind: 'string', usage: 'Signal to send' }],
  args: { min: 1 },
  run: ({ context, client, flags, args }) =>
    eachName(context, args, (id) => client.containers.kill(id, { signal: flags.string('signal') })),
};
