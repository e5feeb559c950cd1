import type { Command } from '../../command.ts';
import { eachName } from '../each-name.ts';
import { STOP_FLAGS, stopOptions } from './stop-flags.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  flags: STOP_FLAGS,
  args: { min: 1 },
  run: ({ context, client, flags, args }) =>
    eachName(context, args, (id) => client.containers.restart(id, stopOptions(flags))),
};
