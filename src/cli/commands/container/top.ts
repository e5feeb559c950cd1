import type { Command } from '../../command.ts';
import { alignColumns } from '../../output/align-columns.ts';

export const command: Command = {
  usage: 'CONTAINER [ps OPTIONS]',
  flags: [],
  args: { min: 1 },
  interspersed: false,
  async run({ context, client, args }) {
    const [id = '', ...ps] = args;
    const { Titles, Processes } = await client.containers.top(id, ps.join(' '));
    const rows = [Titles ?? [], ...(Processes ?? [])].map((row) => row.join('\t'));
    await context.stdout.write(alignColumns(rows, { minimum: 20 }));
    return 0;
  },
};
