import type { Command } from '../../command.ts';
import { withInterrupt } from '../../terminal/interrupt.ts';
import { ATTRIBUTE_FLAGS, attributesOf } from './attributes.ts';

export const command: Command = {
  usage: '[OPTIONS] VOLUME NEW_VOLUME',
  long:
    'Make a volume with what another one holds. Labels are taken over unless others are given.\n' +
    'Where the file system can, both share their blocks until one of them is changed.\n' +
    'Containers may go on writing meanwhile: stop them for a copy of one moment.',
  flags: [...ATTRIBUTE_FLAGS],
  args: { min: 2, max: 2 },
  examples: ['volume clone data data-before-upgrade'],
  async run({ context, client, flags, args }) {
    const [source = '', name = ''] = args;
    const { labels = {}, ...attributes } = attributesOf(flags);
    const made = await withInterrupt((signal) =>
      client.volumes.clone(source, name, {
        ...attributes,
        labels: Object.keys(labels).length === 0 ? undefined : labels,
        signal,
      }),
    );
    await context.stdout.write(`${made.Name}\n`);
    return 0;
  },
};
