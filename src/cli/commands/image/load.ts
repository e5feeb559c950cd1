import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { showProgress } from '../../output/progress.ts';
import { openInput } from '../open-input.ts';
import { platformJson } from './platform-json.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  flags: [
    { name: 'input', short: 'i', kind: 'string', usage: 'Read from a file instead of STDIN' },
    {
      name: 'platform',
      sinceApi: '1.48',
      kind: 'string',
      usage: 'Load only that platform (os[/arch[/variant]])',
    },
    { name: 'quiet', short: 'q', kind: 'bool', usage: 'Show no progress' },
  ],
  args: { min: 0, max: 0 },
  examples: ['load -i busybox.tar', 'load < app.tar.gz'],
  async run({ context, client, flags }) {
    const input = flags.string('input');
    if (input === '' && context.stdin.isTerminal)
      throw new EngineError('invalid', 'requested load from stdin, but stdin is empty');
    const body = input === '' ? context.stdin.chunks() : await openInput(context, input);
    const platform = platformJson(flags.string('platform'), { prefix: 'invalid platform: ' });
    const answer = await client.images.load(body, {
      quiet: flags.bool('quiet') || !context.stdout.isTerminal,
      platforms: platform === undefined ? [] : [platform],
    });
    if ('messages' in answer) await showProgress(answer.messages, context.stdout);
    else for await (const chunk of answer.bytes) await context.stdout.write(chunk);
    return 0;
  },
};
