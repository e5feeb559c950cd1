import type { Command } from '../../command.ts';
import { INSPECT_FORMAT_FLAG, inspectObjects } from '../inspect-objects.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  flags: [INSPECT_FORMAT_FLAG, { name: 'size', short: 's', kind: 'bool', usage: 'Show sizes' }],
  args: { min: 1 },
  run: ({ context, client, flags, args }) =>
    inspectObjects(context, args, {
      format: flags.string('format'),
      get: (name) => client.containers.inspectText(name, { size: flags.bool('size') }),
    }),
};
