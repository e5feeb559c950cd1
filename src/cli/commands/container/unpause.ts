import type { Command } from '../../command.ts';
import { eachName } from '../each-name.ts';

export const command: Command = {
  usage: 'CONTAINER [CONTAINER...]',
  flags: [],
  args: { min: 1 },
  run: ({ context, client, args }) => eachName(context, args, (id) => client.containers.unpause(id)),
};
