import type { ContentStore } from '../../content/content-store.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import type { ImageConfig } from '../../oci/image-config.ts';
import { MEDIA_TYPES } from '../../oci/media-types.ts';
import { canonicalName, type Reference, withDefaultTag } from '../../oci/reference.ts';
import { renderImageConfig } from '../../oci/render-image-config.ts';
import { joinImageManifest } from './image-record.ts';
import type { ImageStore, LayerBlob } from './image-store.ts';
import type { Lease } from './lease-store.ts';

export interface ImageParts {
  /** Bottom first. */
  descriptors: readonly Descriptor[];
  /** Layers that came with this image. */
  layers: LayerBlob[];
  lease: Lease;
  reference: Reference | undefined;
  ports: { content: ContentStore; store: ImageStore };
}

/** Config, manifest, and the image that they are, with its name. Resolves to its ID. */
export async function storeImage(image: ImageConfig, parts: ImageParts): Promise<Digest> {
  const { ports, descriptors, layers, lease } = parts;
  const configBytes = renderImageConfig(image);
  const config = digestOf(configBytes);
  const manifestBytes = new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: { mediaType: MEDIA_TYPES.ociConfig, digest: config, size: configBytes.length },
      layers: descriptors.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    }),
  );
  const digest = digestOf(manifestBytes);
  await lease.add({ blobs: [config, digest], chains: [] });
  await Promise.all([ports.content.write(configBytes), ports.content.write(manifestBytes)]);
  const stored = { digest, mediaType: MEDIA_TYPES.ociManifest, size: manifestBytes.length };
  await ports.store.add({
    image: stored,
    manifests: [joinImageManifest(stored, manifestBytes, configBytes)],
    layers,
    tags: parts.reference === undefined ? [] : [canonicalName(withDefaultTag(parts.reference))],
  });
  return digest;
}
