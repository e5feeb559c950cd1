import { MAX_CONFIG_BYTES, parseImageConfig } from '../../oci/image-config.ts';
import { parseIndex, parseManifest } from '../../oci/manifest.ts';
import { isImageConfigType, isIndexType } from '../../oci/media-types.ts';
import type { Platform } from '../../oci/platform.ts';
import type { Reference } from '../../oci/reference.ts';
import { readBlob } from './read-blob.ts';
import type {
  RegistryClient,
  RegistryRequest,
  RemoteInspection,
  ResolvedManifest,
} from './registry-client.ts';

/** What a name stands for at its registry, without pulling it. @throws as `RegistryClient.manifest`. */
export async function inspectRemote(
  registry: RegistryClient,
  reference: Reference,
  options: RegistryRequest,
): Promise<RemoteInspection> {
  const resolved = await registry.manifest(reference, options);
  const { descriptor, bytes } = resolved;
  const platforms = isIndexType(descriptor.mediaType)
    ? parseIndex(bytes, descriptor.mediaType).manifests.map(
        ({ platform }) => platform ?? { os: '', architecture: '' },
      )
    : await platformOf(registry, { reference, resolved }, options);
  return { descriptor, platforms };
}

/** As dockerd: a config that can't be had or read is no reason to say nothing of the image. */
async function platformOf(
  registry: RegistryClient,
  { reference, resolved }: { reference: Reference; resolved: ResolvedManifest },
  options: RegistryRequest,
): Promise<Platform[]> {
  const { config } = parseManifest(resolved.bytes, resolved.descriptor.mediaType);
  if (!isImageConfigType(config.mediaType)) return [];
  try {
    const bytes = await readBlob(
      registry,
      { repository: reference, descriptor: config, maxBytes: MAX_CONFIG_BYTES },
      { ...options, source: resolved.source },
    );
    const { platform } = parseImageConfig(bytes);
    return platform.os === '' && platform.architecture === '' ? [] : [platform];
  } catch {
    options.signal.throwIfAborted();
    return [];
  }
}
