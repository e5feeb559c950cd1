import { EngineError, messageOf } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { type ImageName, readImageName } from '../../image-name.ts';

export const command: Command = {
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  flags: [],
  args: { min: 2, max: 2 },
  examples: ['tag app:1 registry.example.com/app:1'],
  async run({ client, args }) {
    const [source = '', target = ''] = args;
    const name = readTarget(target);
    if (name.digest !== undefined)
      throw new EngineError('invalid', 'refusing to create a tag with a digest reference');
    await client.images.tag(source, { repository: name.familiarRepository, tag: name.tag ?? 'latest' });
    return 0;
  },
};

function readTarget(target: string): ImageName {
  try {
    return readImageName(target);
  } catch (error) {
    throw new EngineError(
      'invalid',
      `Error parsing reference: ${JSON.stringify(target)} is not a valid repository/tag: ${messageOf(error)}`,
    );
  }
}
