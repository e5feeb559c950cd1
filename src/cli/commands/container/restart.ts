import type { Command } from '../../command.ts';
import { eachName } from '../each-name.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  flags: [
    { name: 'signal', short: 's', kind: 'string', usage: 'Signal to send' },
    { name: 'time', kind: 'int', usage: 'Seconds until it is killed', hidden: true },
    { name: 'timeout', short: 't', kind: 'int', usage: 'Seconds until it is killed' },
  ],
  args: { min: 1 },
  run: ({ context, client, flags, args }) =>
    eachName(context, args, (id) =>
      client.containers.restart(id, {
        signal: flags.string('signal'),
        timeout: flags.changed('timeout')
          ? flags.int('timeout')
          : flags.changed('time')
            ? flags.int('time')
            : undefined,
      }),
    ),
};
