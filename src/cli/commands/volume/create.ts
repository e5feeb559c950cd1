import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { ATTRIBUTE_FLAGS, attributesOf, pairs } from './attributes.ts';

export const command: Command = {
  usage: '[OPTIONS] [VOLUME]',
  flags: [
    { name: 'driver', short: 'd', kind: 'string', default: 'local', usage: 'What makes the volume' },
    { name: 'name', kind: 'string', hidden: true, usage: 'Name of the volume' },
    {
      name: 'opt',
      short: 'o',
      kind: 'map',
      shownDefault: 'map[]',
      usage: 'Options of the driver: type, device and o of a mount',
    },
    ...ATTRIBUTE_FLAGS,
  ],
  args: { min: 0, max: 1 },
  examples: [
    'volume create data',
    'volume create --owner 1000:1000 --mode 0750 data',
    'volume create -o type=none -o o=bind -o device=/srv/data data',
    'volume create -o type=nfs -o o=addr=nas.example.com,rw -o device=:/export data',
  ],
  async run({ context, client, flags, args }) {
    const [argument] = args;
    const name = flags.string('name');
    if (name !== '' && argument !== undefined)
      throw new EngineError(
        'invalid',
        'conflicting options: cannot specify a volume-name through both --name and as a positional arg',
      );
    const made = await client.volumes.create({
      name: argument ?? (name || undefined),
      driver: flags.string('driver'),
      driverOpts: pairs(flags.list('opt')),
      ...attributesOf(flags),
    });
    await context.stdout.write(`${made.Name}\n`);
    return 0;
  },
};
