import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { registryAuthIfAny } from '../../credentials/registry-auth.ts';
import { TLS_VERIFY_FLAG } from '../../flags/tls-verify-flag.ts';
import { type ImageName, readImageName } from '../../image-name.ts';
import { showProgress } from '../../output/progress.ts';
import { silentSink } from '../../terminal/silent-sink.ts';

export const command: Command = {
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  flags: [
    { name: 'all-tags', short: 'a', kind: 'bool', usage: 'Download all tags of the repository' },
    {
      name: 'disable-content-trust',
      kind: 'bool',
      usage: 'Accepted for compatibility',
      default: 'true',
      hidden: true,
    },
    { name: 'platform', sinceApi: '1.32', kind: 'string', usage: 'Platform to download (os/architecture)' },
    { name: 'quiet', short: 'q', kind: 'bool', usage: 'Show only the name of what was pulled' },
    TLS_VERIFY_FLAG,
  ],
  args: { min: 1, max: 1 },
  examples: ['pull busybox', 'pull --platform linux/arm64 registry.example.com/app:1.2'],
  async run({ context, client, flags, args }) {
    const name = readImageName(args[0] ?? '');
    const quiet = flags.bool('quiet');
    const all = flags.bool('all-tags');
    const bare = name.tag === undefined && name.digest === undefined;
    if (all && !bare) throw new EngineError('invalid', "tag can't be used with --all-tags/-a");
    if (!all && bare && !quiet) await context.stdout.write('Using default tag: latest\n');
    const messages = client.images.pull({
      repository: name.repository,
      tag: all ? undefined : (name.digest ?? name.tag ?? 'latest'),
      platform: flags.string('platform') || context.env.DOCKER_DEFAULT_PLATFORM,
      auth: await registryAuthIfAny(context, name.domain),
      tlsVerify: flags.bool('tls-verify'),
    });
    await showProgress(messages, quiet ? silentSink : context.stdout);
    await context.stdout.write(`${pulledName(name, all)}\n`);
    return 0;
  },
};

function pulledName({ repository, familiar, familiarRepository }: ImageName, all: boolean): string {
  return all ? repository : `${repository}${familiar.slice(familiarRepository.length)}`;
}
