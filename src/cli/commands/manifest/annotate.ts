import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { isKnownPlatform } from '../../manifests/known-platforms.ts';
import { readManifestName } from '../../manifests/manifest-name.ts';
import { ManifestStore } from '../../manifests/manifest-store.ts';

export const command: Command = {
  usage: '[OPTIONS] MANIFEST_LIST MANIFEST',
  long: "Say more of an image's platform in a list made here, or say it right.",
  flags: [
    { name: 'arch', kind: 'string', usage: 'Set the architecture' },
    { name: 'os', kind: 'string', usage: 'Set the operating system' },
    { name: 'os-features', kind: 'list', usage: 'Set features of the operating system' },
    { name: 'os-version', kind: 'string', usage: "Set the operating system's version" },
    { name: 'variant', kind: 'string', usage: "Set the architecture's variant" },
  ],
  args: { min: 2, max: 2 },
  examples: [
    'manifest annotate --arch arm --variant v7 registry.example.com/app:1 registry.example.com/app:1-arm',
  ],
  async run({ context, flags, args }) {
    const [list = '', image = ''] = args;
    const target = readManifestName(list, `annotate: error parsing name for manifest list ${list}: `);
    const { whole } = readManifestName(image, `annotate: error parsing name for manifest ${image}: `);
    const store = new ManifestStore(context.globals.configDirectory);
    const listed = await store.get(target.whole, whole);
    if (listed === undefined)
      throw new EngineError('not-found', `manifest for image ${whole} does not exist in ${target.whole}`);
    const features = flags.list('os-features').flatMap((each) => each.split(','));
    const before = listed.Descriptor.platform ?? { architecture: '', os: '' };
    const [version, variant] = [flags.string('os-version'), flags.string('variant')];
    const platform = {
      ...before,
      architecture: flags.string('arch') || before.architecture,
      os: flags.string('os') || before.os,
      ...(version === '' ? {} : { 'os.version': version }),
      ...(features.length === 0
        ? {}
        : { 'os.features': [...new Set([...(before['os.features'] ?? []), ...features])] }),
      ...(variant === '' ? {} : { variant }),
    };
    if (!isKnownPlatform(platform))
      throw new EngineError(
        'invalid',
        `manifest entry for image has unsupported os/arch combination: ${platform.os}/${platform.architecture}`,
      );
    await store.put(target.whole, { ...listed, Descriptor: { ...listed.Descriptor, platform } });
    return 0;
  },
};
