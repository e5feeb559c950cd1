import { ApiError } from '../../../client/api-error.ts';
import { EngineError } from '../../../errors/engine-error.ts';
import { describeError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import { eachName } from '../each-name.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  flags: [
    { name: 'force', short: 'f', kind: 'bool', usage: 'Remove it even if it runs (by SIGKILL)' },
    { name: 'link', short: 'l', kind: 'bool', usage: 'Remove the link of that name' },
    { name: 'volumes', short: 'v', kind: 'bool', usage: 'Remove its anonymous volumes too' },
  ],
  args: { min: 1 },
  examples: ['rm web', 'rm -f web', 'rm -v job1 job2'],
  async run({ context, client, flags, args }) {
    const force = flags.bool('force');
    const options = { force, link: flags.bool('link'), volumes: flags.bool('volumes') };
    // With --force a container that isn't there is as good as removed: said, but no failure.
    const absent: unknown[] = [];
    const status = await eachName(
      context,
      args,
      async (name) => {
        const id = name.replace(/^\/+/, '');
        if (id === '') throw new EngineError('invalid', 'container name cannot be empty');
        try {
          await client.containers.remove(id, options);
          return true;
        } catch (error) {
          if (!force || !(error instanceof ApiError) || error.status !== 404) throw error;
          absent.push(error);
          return false;
        }
      },
      { print: (name, removed) => (removed ? `${name}\n` : '') },
    );
    for (const error of absent) await context.stderr.write(`${describeError(error)}\n`);
    return status;
  },
};
