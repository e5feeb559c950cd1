import type { Command } from '../../command.ts';
import { readImageName } from '../../image-name.ts';
import { showProgress } from '../../output/progress.ts';
import { openInput } from '../open-input.ts';

export const command: Command = {
  usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  flags: [
    { name: 'change', short: 'c', kind: 'list', usage: 'Apply a Dockerfile instruction to the image' },
    { name: 'message', short: 'm', kind: 'string', usage: 'Message for the history' },
    { name: 'platform', sinceApi: '1.32', kind: 'string', usage: 'Platform of the image (os/architecture)' },
  ],
  args: { min: 1 },
  examples: ['import rootfs.tar mybase:1', 'import - < rootfs.tar'],
  async run({ client, context, flags, args }) {
    const [source = '', target] = args;
    const isUrl = /^https?:\/\//.test(source);
    const body = isUrl
      ? undefined
      : source === '-'
        ? context.stdin.chunks()
        : await openInput(context, source);
    const name = target === undefined ? undefined : readImageName(target);
    const messages = client.images.import({
      source: isUrl ? source : '-',
      repository: name?.familiarRepository,
      tag: name === undefined ? undefined : (name.tag ?? 'latest'),
      message: flags.string('message'),
      changes: flags.list('change'),
      platform: flags.string('platform') || context.env.DOCKER_DEFAULT_PLATFORM,
      body,
    });
    await showProgress(messages, context.stdout);
    return 0;
  },
};
