import type { ContentStore } from '../../content/content-store.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { chainIds } from '../../oci/chain-id.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { ChainId, Digest } from '../../oci/digest.ts';
import { type ImageConfig, MAX_CONFIG_BYTES, parseImageConfig } from '../../oci/image-config.ts';
import { MAX_MANIFEST_BYTES, type Manifest, parseManifest } from '../../oci/manifest.ts';

/** A thing of the content store as an image names it. */
export interface StoredManifest {
  digest: Digest;
  mediaType: string;
  size: number;
}

/** One platform of an image, wholly here. */
export interface ImageManifest extends StoredManifest {
  manifest: Manifest;
  config: ImageConfig;
  /** One per layer, bottom first. */
  chainIds: ChainId[];
}

/** An image: what a tag names. `id` is the digest of the index or manifest as it was received. */
export interface ImageRecord extends StoredManifest {
  id: Digest;
  manifests: ImageManifest[];
  /** Blobs besides those of `manifests`: attestations, indexes between the root and a manifest, what it was before its layers were compressed. */
  extras: readonly Digest[];
}

/**
 * Join a manifest with its config.
 *
 * @throws EngineError "invalid", in Docker's words, when their layers differ in number.
 */
export function joinImageManifest(
  stored: StoredManifest,
  manifestBytes: Uint8Array,
  configBytes: Uint8Array,
): ImageManifest {
  const manifest = parseManifest(manifestBytes, stored.mediaType);
  const config = parseImageConfig(configBytes);
  if (config.diffIds.length !== manifest.layers.length)
    throw new EngineError('invalid', "layers from manifest don't match image configuration");
  return { ...stored, manifest, config, chainIds: chainIds(config.diffIds) };
}

/** Read a manifest that is here back into memory. @throws EngineError "not-found" when a part is gone. */
export async function loadImageManifest(
  content: ContentStore,
  stored: StoredManifest,
): Promise<ImageManifest> {
  const bytes = await content.read(stored.digest, { maxBytes: MAX_MANIFEST_BYTES });
  const { config } = parseManifest(bytes, stored.mediaType);
  return joinImageManifest(stored, bytes, await content.read(config.digest, { maxBytes: MAX_CONFIG_BYTES }));
}

/** Every blob that an image holds on to. */
export function blobsOf(image: ImageRecord): Digest[] {
  return [image.id, ...image.manifests.flatMap(blobsOfManifest), ...image.extras];
}

export function blobsOfManifest({ digest, manifest }: ImageManifest): Digest[] {
  return [digest, manifest.config.digest, ...manifest.layers.map((layer: Descriptor) => layer.digest)];
}
