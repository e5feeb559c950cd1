import type { Command } from '../../command.ts';
import { INSPECT_FORMAT_FLAG, inspectObjects } from '../inspect-objects.ts';

export const command: Command = {
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  flags: [INSPECT_FORMAT_FLAG],
  args: { min: 1 },
  run: ({ context, client, flags, args }) =>
    inspectObjects(context, args, {
      format: flags.string('format'),
      get: (name) => client.volumes.inspectText(name),
    }),
};
