import { ApiError } from '../../../client/api-error.ts';
import { describeError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import { platformJson } from './platform-json.ts';

export const command: Command = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  flags: [
    {
      name: 'force',
      short: 'f',
      kind: 'bool',
      usage: 'Remove it even if a stopped container uses it, or several names are its own',
    },
    { name: 'no-prune', kind: 'bool', usage: 'Keep untagged parents' },
    {
      name: 'platform',
      sinceApi: '1.50',
      kind: 'strings',
      typeName: 'strings',
      usage: 'Remove only that platform (os/architecture)',
    },
  ],
  args: { min: 1 },
  examples: ['rmi app:1 app:2', 'rmi -f 5d0da3dc9764'],
  async run({ context, client, flags, args }) {
    const force = flags.bool('force');
    const platforms = flags.list('platform').flatMap((text) => platformJson(text) ?? []);
    const errors: unknown[] = [];
    let fatal = false;
    for (const name of args) {
      try {
        const removed = await client.images.remove(name, {
          force,
          noPrune: flags.bool('no-prune'),
          platforms,
        });
        for (const { Deleted, Untagged } of removed)
          await context.stdout.write(Deleted ? `Deleted: ${Deleted}\n` : `Untagged: ${Untagged ?? ''}\n`);
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 404) fatal = true;
        errors.push(error);
      }
    }
    for (const error of errors) await context.stderr.write(`${describeError(error)}\n`);
    return errors.length > 0 && (!force || fatal) ? 1 : 0;
  },
};
