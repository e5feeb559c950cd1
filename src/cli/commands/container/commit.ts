import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { readImageName } from '../../image-name.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
  interspersed: false,
  flags: [
    {
      name: 'author',
      short: 'a',
      kind: 'string',
      usage: 'Author (such as "John Hannibal Smith <hannibal@a-team.com>")',
    },
    { name: 'change', short: 'c', kind: 'list', usage: 'Apply a Dockerfile instruction to the image' },
    { name: 'message', short: 'm', kind: 'string', usage: 'Message for the history' },
    {
      name: 'pause',
      short: 'p',
      kind: 'bool',
      usage: 'Pause the container meanwhile',
      default: 'true',
    },
  ],
  args: { min: 1, max: 2 },
  examples: ['commit web web:fixed', "commit -c 'CMD [\"serve\"]' -m 'works now' web web:2"],
  async run({ context, client, flags, args }) {
    const [container = '', target] = args;
    const name = target === undefined || target === '' ? undefined : readImageName(target);
    if (name?.digest !== undefined)
      throw new EngineError('invalid', 'refusing to create a tag with a digest reference');
    const { Id } = await client.containers.commit(container, {
      repository: name?.repository,
      tag: name === undefined ? undefined : (name.tag ?? 'latest'),
      message: flags.string('message'),
      author: flags.string('author'),
      changes: flags.list('change'),
      pause: flags.bool('pause'),
    });
    await context.stdout.write(`${Id}\n`);
    return 0;
  },
};
