import { EngineError, errnoCodeOf } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import type { Invocation } from '../../context.ts';
import { readImageName } from '../../image-name.ts';
import { showProgress } from '../../output/progress.ts';

export const command: Command = {
  usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  flags: [
    { name: 'change', short: 'c', kind: 'list', usage: 'Apply a Dockerfile instruction to the image' },
    { name: 'message', short: 'm', kind: 'string', usage: 'Message for the history' },
    { name: 'platform', kind: 'string', usage: 'Platform of the image (os/architecture)' },
  ],
  args: { min: 1 },
  examples: ['import rootfs.tar mybase:1', 'import - < rootfs.tar'],
  async run(invocation) {
    const { client, context, flags, args } = invocation;
    const [source = '', target] = args;
    const name = target === undefined ? undefined : readImageName(target);
    const isUrl = /^(?:https?|ftp):\/\//.test(source);
    const messages = client.images.import({
      source: isUrl ? source : '-',
      repository: name?.familiarRepository,
      tag: name === undefined ? undefined : (name.tag ?? 'latest'),
      message: flags.string('message'),
      changes: flags.list('change'),
      platform: flags.string('platform'),
      body: isUrl ? undefined : await tarball(invocation, source),
    });
    await showProgress(messages, context.stdout);
    return 0;
  },
};

async function tarball({ context }: Invocation, source: string): Promise<AsyncIterable<Uint8Array>> {
  if (source === '-') return context.stdin.chunks();
  const { open } = await import('node:fs/promises');
  try {
    return (await open(source)).createReadStream({ highWaterMark: 1 << 20 }) as AsyncIterable<Uint8Array>;
  } catch (error) {
    const reason = errnoCodeOf(error) === 'ENOENT' ? 'no such file or directory' : String(errnoCodeOf(error));
    throw new EngineError('invalid', `open ${source}: ${reason}`, { cause: error });
  }
}
