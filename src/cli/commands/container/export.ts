import type { Command } from '../../command.ts';
import { saveOutput } from '../save-output.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER',
  flags: [{ name: 'output', short: 'o', kind: 'string', usage: 'Write to a file instead of STDOUT' }],
  args: { min: 1, max: 1 },
  examples: ['export -o rootfs.tar web', 'export web | tar -tv'],
  async run({ context, client, flags, args }) {
    await saveOutput(context, {
      output: flags.string('output'),
      failure: 'failed to export container',
      read: (signal) => client.containers.export(args[0] ?? '', { signal }),
    });
    return 0;
  },
};
