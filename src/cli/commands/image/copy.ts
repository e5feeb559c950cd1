import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { registryAuthIfAny } from '../../credentials/registry-auth.ts';
import { TLS_VERIFY_FLAG } from '../../flags/tls-verify-flag.ts';
import { readImageName } from '../../image-name.ts';
import { showProgress } from '../../output/progress.ts';
import { silentSink } from '../../terminal/silent-sink.ts';
import { platformJson } from './platform-json.ts';

export const command: Command = {
  usage: '[OPTIONS] SOURCE[:TAG|@DIGEST] TARGET[:TAG]',
  long:
    'Copy an image from registry to registry, with its digest and all its platforms; nothing of it is kept here.\n' +
    "Without a tag the target gets the source's.",
  flags: [
    {
      name: 'platform',
      kind: 'string',
      usage: 'Copy only that platform (os[/arch[/variant]]), without the index',
    },
    { name: 'quiet', short: 'q', kind: 'bool', usage: 'Show only the name of the copy' },
    TLS_VERIFY_FLAG,
  ],
  args: { min: 2, max: 2 },
  examples: ['image copy busybox:1.36 registry.example.com/mirror/busybox'],
  async run({ context, client, flags, args }) {
    const [source = '', target = ''] = args;
    const from = readImageName(source);
    const to = readImageName(target);
    if (to.digest !== undefined) throw new EngineError('invalid', 'cannot push a digest reference');
    const tag = to.tag ?? from.tag ?? 'latest';
    const messages = client.images.copy({
      from: `${from.repository}${from.digest === undefined ? `:${from.tag ?? 'latest'}` : `@${from.digest}`}`,
      to: `${to.repository}:${tag}`,
      platform: platformJson(flags.string('platform'), { prefix: 'invalid platform: ' }),
      auth: await registryAuthIfAny(context, to.domain),
      sourceAuth: await registryAuthIfAny(context, from.domain),
      tlsVerify: flags.bool('tls-verify'),
    });
    await showProgress(messages, flags.bool('quiet') ? silentSink : context.stdout);
    await context.stdout.write(`${to.repository}:${tag}\n`);
    return 0;
  },
};
