import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import type { CliContext } from '../../context.ts';
import { findManifest } from '../../manifests/find-manifest.ts';
import { listText } from '../../manifests/list-text.ts';
import { readManifestName } from '../../manifests/manifest-name.ts';
import { decodeRaw, type ListedManifest, ManifestStore, storedText } from '../../manifests/manifest-store.ts';
import { indentJson } from '../../output/indent-json.ts';
import { INSECURE_FLAG } from './insecure-flag.ts';

export const command: Command = {
  usage: '[OPTIONS] [MANIFEST_LIST] MANIFEST',
  long:
    'Show the manifest or index that a registry has under a name, or a list made here that is not pushed yet.\n' +
    'The daemon asks the registry, with its mirrors, certificates and proxies.',
  flags: [
    INSECURE_FLAG,
    { name: 'verbose', short: 'v', kind: 'bool', usage: 'Show descriptors, platforms and layers too' },
  ],
  args: { min: 1, max: 2 },
  examples: ['manifest inspect busybox', 'manifest inspect -v --insecure localhost:5000/app:1'],
  async run(invocation) {
    const { context, flags, args } = invocation;
    const name = readManifestName(args.at(-1) ?? '');
    const insecure = flags.bool('insecure');
    const found =
      args.length === 2
        ? await listedManifest(context, args[0] ?? '', name.whole)
        : ((await localList(context, name.whole)) ?? (await findManifest(invocation, name, { insecure })));
    await context.stdout.write(flags.bool('verbose') ? verbose(found) : plain(found));
    return 0;
  },
};

/** What is shown: of a list that was made here, its images alone. */
type Shown = ListedManifest & { Manifests?: ListedManifest[] };

async function listedManifest(context: CliContext, list: string, image: string): Promise<Shown> {
  const store = new ManifestStore(context.globals.configDirectory);
  const listed = await store.get(readManifestName(list).whole, image);
  if (listed === undefined) throw new EngineError('not-found', `No such manifest: ${image}`);
  return listed;
}

async function localList(context: CliContext, list: string): Promise<Shown | undefined> {
  const images = await new ManifestStore(context.globals.configDirectory).list(list);
  const [first] = images ?? [];
  return first === undefined ? undefined : { ...first, Manifests: images ?? [] };
}

/** A manifest as it is; an index in the form of Docker's list, under its own type. */
function plain(found: Shown): string {
  const { Raw, Manifests } = found;
  if (Manifests === undefined) return `${indentJson(decodeRaw(Raw), { indent: '\t' })}\n`;
  const descriptors = Manifests.map(({ Descriptor }) => Descriptor);
  return `${listText(descriptors, indexType(found))}\n`;
}

function indexType(found: Shown): string | undefined {
  const { mediaType } = found.Descriptor;
  return /\b(?:index|list)\b/.test(mediaType) ? mediaType : undefined;
}

function verbose(found: Shown): string {
  const text =
    found.Manifests === undefined ? storedText(found) : `[${found.Manifests.map(storedText).join(',')}]`;
  return `${indentJson(text, { indent: '\t' })}\n`;
}
