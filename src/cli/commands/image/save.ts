import type { Command } from '../../command.ts';
import { saveOutput } from '../save-output.ts';
import { platformJson } from './platform-json.ts';

export const command: Command = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  flags: [
    { name: 'output', short: 'o', kind: 'string', usage: 'Write to a file instead of STDOUT' },
    {
      name: 'platform',
      sinceApi: '1.48',
      kind: 'string',
      usage: 'Save only that platform (os[/arch[/variant]])',
    },
  ],
  args: { min: 1 },
  examples: ['save -o busybox.tar busybox', 'save app:1 app:2 | gzip > app.tar.gz'],
  async run({ context, client, flags, args }) {
    const platform = platformJson(flags.string('platform'), { prefix: 'invalid platform: ' });
    await saveOutput(context, {
      output: flags.string('output'),
      failure: 'failed to save image',
      read: (signal) =>
        client.images.save(args, { platforms: platform === undefined ? [] : [platform], signal }),
    });
    return 0;
  },
};
