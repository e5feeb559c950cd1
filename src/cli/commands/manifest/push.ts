import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import type { Invocation } from '../../context.ts';
import { registryAuthIfAny } from '../../credentials/registry-auth.ts';
import { listText, listType } from '../../manifests/list-text.ts';
import { type ManifestName, readManifestName } from '../../manifests/manifest-name.ts';
import { type ListedManifest, ManifestStore } from '../../manifests/manifest-store.ts';
import { showProgress } from '../../output/progress.ts';
import { silentSink } from '../../terminal/silent-sink.ts';
import { INSECURE_FLAG } from './insecure-flag.ts';

export const command: Command = {
  usage: '[OPTIONS] MANIFEST_LIST',
  long: "Send a list made here to its registry. Images that lie in other repositories of it are brought to the list's first.",
  flags: [
    INSECURE_FLAG,
    { name: 'purge', short: 'p', kind: 'bool', usage: 'Remove the list here when it is sent' },
  ],
  args: { min: 1, max: 1 },
  examples: ['manifest push --purge registry.example.com/app:1'],
  async run(invocation) {
    const { context, client, flags, args } = invocation;
    const list = readManifestName(args[0] ?? '');
    const store = new ManifestStore(context.globals.configDirectory);
    const images = (await store.list(list.whole)) ?? [];
    if (images.length === 0) throw new EngineError('not-found', `No such manifest: ${list.whole}`);
    for (const image of images) check(image, list);
    const access = {
      auth: await registryAuthIfAny(context, list.domain),
      tlsVerify: !flags.bool('insecure'),
    };
    for (const image of images) await bring(image, list, { invocation, access });
    const descriptors = images.map(({ Descriptor }) => Descriptor);
    const Raw = Buffer.from(listText(descriptors)).toString('base64');
    const { Digest } = await client.distribution.putManifest(
      list.whole,
      { MediaType: listType(descriptors), Raw },
      access,
    );
    await context.stdout.write(`${Digest}\n`);
    if (flags.bool('purge')) await store.remove(list.whole);
    return 0;
  },
};

function check({ Ref, Descriptor: { platform } }: ListedManifest, { domain }: ManifestName): void {
  const from = readManifestName(Ref).domain;
  if (from !== domain)
    throw new EngineError(
      'invalid',
      `cannot use source images from a different registry than the target image: ${from} != ${domain}`,
      { hint: "Copy them there with 'image copy' first." },
    );
  if (!platform?.os || !platform.architecture)
    throw new EngineError(
      'invalid',
      `manifest ${Ref} must have an OS and Architecture to be pushed to a registry`,
      { hint: "Say them with 'manifest annotate'." },
    );
}

interface Bringing {
  invocation: Invocation;
  access: { auth: string | undefined; tlsVerify: boolean };
}

/** Into the list's repository, by digest. */
async function bring(
  { Ref, Descriptor: { digest } }: ListedManifest,
  { repository }: ManifestName,
  { invocation: { context, client }, access }: Bringing,
): Promise<void> {
  const from = readManifestName(Ref).repository;
  if (from === repository) return;
  const to = `${repository}@${digest}`;
  const messages = client.images.copy({
    from: `${from}@${digest}`,
    to,
    auth: access.auth,
    sourceAuth: access.auth,
    tlsVerify: access.tlsVerify,
  });
  await showProgress(messages, silentSink);
  await context.stdout.write(`Pushed ref ${to} with digest: ${digest}\n`);
}
