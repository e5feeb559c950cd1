import type { Command } from '../../command.ts';
import { readImageName } from '../../image-name.ts';

export const command: Command = {
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  flags: [],
  args: { min: 2, max: 2 },
  async run({ client, args }) {
    const [source = '', target = ''] = args;
    const name = readImageName(target);
    await client.images.tag(source, { repository: name.familiarRepository, tag: name.tag ?? 'latest' });
    return 0;
  },
};
