import type { Command } from '../../command.ts';
import { contextName } from '../../host.ts';

export const command: Command = {
  usage: '',
  flags: [],
  args: { min: 0, max: 0 },
  local: true,
  async run({ context }) {
    await context.stdout.write(`${contextName(context.hostChoice)}\n`);
    return 0;
  },
};
