import type { Command } from '../../command.ts';
import { saveOutput } from '../save-output.ts';

export const command: Command = {
  usage: '[OPTIONS] VOLUME',
  long:
    'Write what a volume holds as a tar archive, with owners, modes and extended attributes.\n' +
    'Containers may go on writing meanwhile: stop them for a copy of one moment.',
  flags: [{ name: 'output', short: 'o', kind: 'string', usage: 'Write to a file instead of STDOUT' }],
  args: { min: 1, max: 1 },
  examples: ['volume export -o data.tar data', 'volume export data | gzip > data.tar.gz'],
  async run({ context, client, flags, args }) {
    await saveOutput(context, {
      output: flags.string('output'),
      failure: 'failed to export volume',
      read: (signal) => client.volumes.export(args[0] ?? '', { signal }),
    });
    return 0;
  },
};
