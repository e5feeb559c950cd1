import { EngineError } from '../../../errors/engine-error.ts';
import type { ContentMissing, ManifestPushedInsteadOfIndex } from '../../../wire/image.ts';
import type { Command } from '../../command.ts';
import { registryAuthIfAny } from '../../credentials/registry-auth.ts';
import { TLS_VERIFY_FLAG } from '../../flags/tls-verify-flag.ts';
import { type ImageName, readImageName } from '../../image-name.ts';
import { printNote } from '../../output/note.ts';
import { showProgress } from '../../output/progress.ts';
import { STYLES, styled } from '../../output/styles.ts';
import { silentSink } from '../../terminal/silent-sink.ts';
import { platformJson } from './platform-json.ts';

export const command: Command = {
  usage: '[OPTIONS] NAME[:TAG]',
  flags: [
    { name: 'all-tags', short: 'a', kind: 'bool', usage: 'Upload all tags of the repository' },
    {
      name: 'disable-content-trust',
      kind: 'bool',
      usage: 'Accepted for compatibility',
      default: 'true',
      hidden: true,
    },
    {
      name: 'platform',
      sinceApi: '1.46',
      kind: 'string',
      usage: 'Upload only that platform (os[/arch[/variant]]), without the index',
    },
    { name: 'quiet', short: 'q', kind: 'bool', usage: 'Show only the name of what was pushed' },
    TLS_VERIFY_FLAG,
  ],
  args: { min: 1, max: 1 },
  examples: ['push registry.example.com/app:1.2', 'push --all-tags registry.example.com/app'],
  async run({ context, client, flags, args }) {
    const quiet = flags.bool('quiet');
    const all = flags.bool('all-tags');
    const platform = await readPlatform(flags.string('platform'), context.stderr);
    if (platform !== undefined) await printNote(context.stdout, PLATFORM_NOTE);
    const name = readImageName(args[0] ?? '');
    const bare = name.tag === undefined && name.digest === undefined;
    if (all && !bare) throw new EngineError('invalid', "tag can't be used with --all-tags/-a");
    if (!all && bare && !quiet) await context.stdout.write('Using default tag: latest\n');
    const auth = await registryAuthIfAny(context, name.domain);
    if (name.digest !== undefined) throw new EngineError('invalid', 'cannot push a digest reference');
    const messages = client.images.push(name.repository, {
      tag: all ? undefined : (name.tag ?? 'latest'),
      platform,
      auth,
      tlsVerify: flags.bool('tls-verify'),
    });
    const notes: string[] = [];
    const onAux = (aux: unknown) => void notes.push(...noteOf(aux));
    try {
      await showProgress(messages, quiet ? silentSink : context.stdout, { onAux });
      if (quiet) await context.stdout.write(`${pushedName(name, all)}\n`);
    } finally {
      for (const note of notes) await printNote(context.stdout, note);
    }
    return 0;
  },
};

const PLATFORM_NOTE =
  'Using --platform pushes only the specified platform manifest of a multi-platform image index.\n' +
  'Other components, like attestations, will not be included.\n' +
  'To push the complete multi-platform image, remove the --platform flag.\n';

const MISSING_NOTE =
  "You're trying to push a manifest list/index which \n" +
  '\t\t\t\treferences multiple platform specific manifests, but not all of them are available locally\n' +
  '\t\t\t\tor available to the remote repository.\n\n' +
  '\t\t\t\tMake sure you have all the referenced content and try again.\n\n' +
  '\t\t\t\tYou can also push only a single platform specific manifest directly by specifying the platform you want to push with the --platform flag.';

async function readPlatform(
  text: string,
  stderr: { write(text: string): Promise<void> },
): Promise<string | undefined> {
  try {
    return platformJson(text);
  } catch (error) {
    await stderr.write(`Invalid platform ${text}`);
    throw error;
  }
}

function pushedName({ repository, tag }: ImageName, all: boolean): string {
  return all ? repository : `${repository}:${tag ?? 'latest'}`;
}

function noteOf(aux: unknown): string[] {
  const { manifestPushedInsteadOfIndex, originalIndex, selectedManifest } =
    aux as Partial<ManifestPushedInsteadOfIndex>;
  if (manifestPushedInsteadOfIndex === true)
    return [
      'Not all multiplatform-content is present and only the available single-platform image was pushed\n' +
        `${styled(STYLES.red, originalIndex?.digest ?? '')} -> ${styled(STYLES.green, selectedManifest?.digest ?? '')}`,
    ];
  return (aux as Partial<ContentMissing>).contentMissing === true ? [MISSING_NOTE] : [];
}
