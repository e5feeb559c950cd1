import type { ContentStore } from '../../content/content-store.ts';
import type { ImageStore } from '../../images/image-store.ts';
import type { Lease } from '../../images/lease-store.ts';
import { storeImage } from '../../images/store-image.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ImageConfig } from '../../oci/image-config.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from '../../oci/manifest.ts';
import type { BaseImage } from '../plan/build-step.ts';
import type { BuiltLayer } from '../solver/cache-record.ts';

export interface StoredBuild {
  imageId: Digest;
  manifest: Descriptor;
  configDigest: Digest;
}

/** Put what was built into the engine's images, without a name yet. */
export async function storeBuild(
  built: { config: ImageConfig; base: BaseImage | undefined; layers: readonly BuiltLayer[] },
  ports: { content: ContentStore; store: ImageStore; lease: Lease },
): Promise<StoredBuild> {
  const { config, base, layers } = built;
  const { content, store, lease } = ports;
  const below = base === undefined ? [] : await layersOf(base, content);
  const imageId = await storeImage(config, {
    descriptors: [...below, ...layers.map(({ descriptor }) => descriptor)],
    layers: layers.map(({ diffId, descriptor, tarSize }) => ({
      diffId,
      blob: descriptor.digest,
      blobSize: descriptor.size,
      tarSize,
    })),
    lease,
    reference: undefined,
    ports: { content, store },
  });
  const bytes = await content.read(imageId, { maxBytes: MAX_MANIFEST_BYTES });
  const { config: described, mediaType } = parseManifest(bytes);
  return {
    imageId,
    manifest: {
      mediaType: mediaType ?? 'application/vnd.oci.image.manifest.v1+json',
      digest: imageId,
      size: bytes.length,
    },
    configDigest: described.digest,
  };
}

async function layersOf(base: BaseImage, content: ContentStore): Promise<readonly Descriptor[]> {
  const bytes = await content.read(base.manifestDigest, { maxBytes: MAX_MANIFEST_BYTES });
  return parseManifest(bytes).layers;
}
