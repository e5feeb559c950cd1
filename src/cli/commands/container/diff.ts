import type { Command } from '../../command.ts';

/** By Docker's numbers: changed, added, deleted. */
const LETTERS = ['C', 'A', 'D'];

export const command: Command = {
  usage: 'CONTAINER',
  long: 'Each line has a letter and a path: A was added, C changed, D deleted.',
  flags: [],
  args: { min: 1, max: 1 },
  examples: ['diff web'],
  async run({ context, client, args }) {
    const changes = await client.containers.changes(args[0] ?? '');
    await context.stdout.write(changes.map(({ Kind, Path }) => `${LETTERS[Kind] ?? '?'} ${Path}\n`).join(''));
    return 0;
  },
};
