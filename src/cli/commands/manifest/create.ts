import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { findManifest } from '../../manifests/find-manifest.ts';
import { readManifestName } from '../../manifests/manifest-name.ts';
import { type ListedManifest, ManifestStore } from '../../manifests/manifest-store.ts';
import { INSECURE_FLAG } from './insecure-flag.ts';

export const command: Command = {
  usage: 'MANIFEST_LIST MANIFEST [MANIFEST...]',
  long:
    'Make a list of images that a registry has, one for each platform. It is kept here until it is pushed.\n' +
    "Where the client and the daemon are two machines, the list is the client's.",
  flags: [{ name: 'amend', short: 'a', kind: 'bool', usage: 'Add to a list that is there' }, INSECURE_FLAG],
  args: { min: 2 },
  examples: [
    'manifest create registry.example.com/app:1 registry.example.com/app:1-amd64 registry.example.com/app:1-arm64',
  ],
  async run(invocation) {
    const { context, flags, args } = invocation;
    const [list = '', ...images] = args;
    const target = readManifestName(list, `error parsing name for manifest list ${list}: `);
    const names = images.map((image) => readManifestName(image));
    const store = new ManifestStore(context.globals.configDirectory);
    if (!flags.bool('amend') && (await store.list(target.whole)) !== undefined)
      throw new EngineError('conflict', 'refusing to amend an existing manifest list with no --amend flag');
    const found: ListedManifest[] = [];
    for (const name of names) {
      if ((await store.get(target.whole, name.whole)) !== undefined) continue;
      const manifest = await findManifest(invocation, name, { insecure: flags.bool('insecure') });
      if (manifest.Manifests !== undefined)
        throw new EngineError('invalid', `${name.whole} is a manifest list`);
      found.push(manifest);
    }
    // Docker keeps what it found before a name that isn't there: its list can't be made again without --amend.
    for (const manifest of found) await store.put(target.whole, manifest);
    await context.stdout.write(`Created manifest list ${target.whole}\n`);
    return 0;
  },
};
