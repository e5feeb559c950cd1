import { EngineError } from '../../../errors/engine-error.ts';
import { describeError, ExitError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';

export const command: Command = {
  usage: 'CONTAINER NEW_NAME',
  flags: [],
  args: { min: 2, max: 2 },
  async run({ client, args }) {
    const [from = '', to = ''] = args.map((name) => name.trim());
    if (from === '' || to === '')
      throw new EngineError('invalid', 'Error: Neither old nor new names may be empty');
    try {
      await client.containers.rename(from, to);
    } catch (error) {
      throw new ExitError(1, `${describeError(error)}\nError: failed to rename container named ${from}`);
    }
    return 0;
  },
};
