import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { withInterrupt } from '../../terminal/interrupt.ts';
import { openInput } from '../open-input.ts';
import { ATTRIBUTE_FLAGS, attributesOf } from './attributes.ts';

export const command: Command = {
  usage: '[OPTIONS] NEW_VOLUME [file|-]',
  long:
    'Make a volume from a tar archive, compressed or not: as `volume export` writes it, or any other.\n' +
    'It is there once all of the archive is in it.',
  flags: [...ATTRIBUTE_FLAGS],
  args: { min: 1, max: 2 },
  examples: ['volume import data data.tar.gz', 'volume export data | ssh HOST sampan volume import data'],
  async run({ context, client, flags, args }) {
    const [name = '', source = '-'] = args;
    if (source === '-' && context.stdin.isTerminal)
      throw new EngineError('invalid', 'requested import from stdin, but stdin is empty');
    const body = source === '-' ? context.stdin.chunks() : await openInput(context, source);
    const made = await withInterrupt((signal) =>
      client.volumes.import(name, body, { ...attributesOf(flags), signal }),
    );
    await context.stdout.write(`${made.Name}\n`);
    return 0;
  },
};
