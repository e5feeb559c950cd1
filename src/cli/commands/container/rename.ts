import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';

export const command: Command = {
  usage: 'CONTAINER NEW_NAME',
  flags: [],
  args: { min: 2, max: 2 },
  async run({ client, args }) {
    const [from = '', to = ''] = args.map((name) => name.trim());
    if (from === '' || to === '')
      throw new EngineError('invalid', 'Error: Neither old nor new names may be empty');
    await client.containers.rename(from, to);
    return 0;
  },
};
