import { ApiError } from '../../../client/api-error.ts';
import type { DistributionManifest } from '../../../client/model.ts';
import { EngineError } from '../../../errors/engine-error.ts';
import { stringifyJson } from '../../../wire/json.ts';
import type { Command } from '../../command.ts';
import { registryAuthIfAny } from '../../credentials/registry-auth.ts';
import { type ImageName, readImageName } from '../../image-name.ts';
import { indentJson } from '../../output/indent-json.ts';

export const command: Command = {
  usage: '[OPTIONS] [MANIFEST_LIST] MANIFEST',
  long:
    'Show the manifest or index that a registry has under a name.\n' +
    'The daemon asks the registry, with its mirrors, certificates and proxies.',
  flags: [
    { name: 'insecure', kind: 'bool', usage: 'Let the registry speak plain HTTP or show any certificate' },
    { name: 'verbose', short: 'v', kind: 'bool', usage: 'Show descriptors, platforms and layers too' },
  ],
  args: { min: 1, max: 2 },
  examples: ['manifest inspect busybox', 'manifest inspect -v --insecure localhost:5000/app:1'],
  async run({ context, client, flags, args }) {
    const name = readImageName(args.at(-1) ?? '');
    const whole = wholeName(name);
    if (args.length === 2) {
      readImageName(args[0] ?? '');
      // Lists that are made here before they are pushed are not kept.
      throw new EngineError('not-found', `No such manifest: ${whole}`);
    }
    let found: DistributionManifest;
    try {
      found = await client.distribution.manifest(whole, {
        auth: await registryAuthIfAny(context, name.domain),
        tlsVerify: !flags.bool('insecure'),
      });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      throw new EngineError('not-found', `no such manifest: ${whole}`, { cause: error });
    }
    await context.stdout.write(flags.bool('verbose') ? verbose(found) : plain(found));
    return 0;
  },
};

function wholeName({ repository, tag, digest }: ImageName): string {
  if (digest !== undefined) return `${repository}${tag === undefined ? '' : `:${tag}`}@${digest}`;
  return `${repository}:${tag ?? 'latest'}`;
}

/** A manifest as it is; an index in the form of Docker's list, under its own type. */
function plain({ Descriptor: index, Raw, Manifests }: DistributionManifest): string {
  if (Manifests === undefined) return `${indentJson(decode(Raw), { indent: '\t' })}\n`;
  const list = {
    schemaVersion: 2,
    mediaType: index.mediaType,
    manifests: Manifests.map(({ Descriptor: { mediaType, size, digest, urls, annotations, platform } }) => ({
      mediaType,
      size,
      digest,
      ...(urls === undefined ? {} : { urls }),
      ...(annotations === undefined ? {} : { annotations }),
      platform: platform ?? { architecture: '', os: '' },
    })),
  };
  return `${indentJson(stringifyJson(list, { escapeHtml: true }), { indent: '   ' })}\n`;
}

function verbose(found: DistributionManifest): string {
  const text = found.Manifests === undefined ? details(found) : `[${found.Manifests.map(details).join(',')}]`;
  return `${indentJson(text, { indent: '\t' })}\n`;
}

/** As JSON, the manifest within it token by token as it came. */
function details({ Ref, Descriptor, Raw }: DistributionManifest): string {
  const head = stringifyJson({ Ref, Descriptor, Raw }, { escapeHtml: true });
  const key = Descriptor.mediaType.startsWith('application/vnd.oci.') ? 'OCIManifest' : 'SchemaV2Manifest';
  return `${head.slice(0, -1)},"${key}":${decode(Raw)}}`;
}

function decode(raw: string): string {
  return Buffer.from(raw, 'base64').toString();
}
