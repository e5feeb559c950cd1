import type { LocalContentStore } from '../../content/local-content-store.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { bringLayers, presentLayers } from '../../images/layers/bring-layers.ts';
import type { LayerFetch, LayerFetches } from '../../images/layers/layer-fetches.ts';
import type { ImageGc } from '../../images/store/gc.ts';
import { blobsOfManifest, type ImageManifest, joinImageManifest } from '../../images/store/image-record.ts';
import type { LayerBlob } from '../../images/store/image-store.ts';
import type { Lease } from '../../images/store/lease-store.ts';
import type { RegistryAccess } from '../../images/transfer/pull-image.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { MAX_CONFIG_BYTES } from '../../oci/image-config.ts';
import { MAX_MANIFEST_BYTES, parseIndex, parseManifest } from '../../oci/manifest.ts';
import { isImageConfigType, isIndexType } from '../../oci/media-types.ts';
import { type Platform, selectManifest } from '../../oci/platform.ts';
import { documentType } from '../cache/read-caches.ts';
import type { ClientBlobs } from '../client-blobs.ts';
import { readClientBlob, receiveBlob } from './receive-blob.ts';

const MAX_INDEX_DEPTH = 3;

export interface LayoutImagePorts {
  content: LocalContentStore;
  gc: Pick<ImageGc, 'settled'>;
  fetches: LayerFetches;
  registry: Pick<RegistryAccess, 'config'>;
  /** Comes to hold the image. */
  lease: Lease;
  signal: AbortSignal;
}

/** An image that was brought here from a layout of the client's. It is no image of the engine's. */
export interface LayoutImage {
  manifest: ImageManifest;
  layers: LayerBlob[];
}

/** `<store>[:<tag>]@<digest>` of an `oci-layout` context. @throws EngineError "invalid" in BuildKit's words. */
export function parseLayoutReference(text: string): { store: string; digest: Digest } {
  const at = text.lastIndexOf('@');
  const name = at < 0 ? text : text.slice(0, at);
  if (name === '') throw new EngineError('invalid', `oci-layout reference "${text}" has no name`);
  const digest = at < 0 ? '' : text.slice(at + 1);
  if (!isDigest(digest)) throw new EngineError('invalid', `oci-layout reference "${text}" has no digest`);
  return { store: name.replace(/:[\w][\w.-]{0,127}$/, ''), digest };
}

/**
 * Bring what a digest names in a layout, for one platform.
 *
 * @throws EngineError "not-found" for what isn't in the layout; "invalid" for what is damaged, or no image.
 */
export async function bringLayoutImage(
  blobs: ClientBlobs,
  { digest, platform }: { digest: Digest; platform: Platform },
  ports: LayoutImagePorts,
): Promise<LayoutImage> {
  const manifest = await followLayout(blobs, { digest, platform }, ports);
  const { content, gc, fetches, registry, lease, signal } = ports;
  await lease.add({ blobs: blobsOfManifest(manifest), chains: manifest.chainIds });
  await gc.settled();
  await content.write(manifest.bytes, manifest.digest);
  await content.write(manifest.configBytes, manifest.manifest.config.digest);
  const wanted = manifest.config.diffIds.map((diffId, at): LayerFetch => {
    const descriptor = manifest.manifest.layers[at] as Descriptor;
    const job = {
      contentRoot: content.root,
      registry: registry.config(),
      origin: undefined,
      descriptor,
      diffId,
    };
    return {
      job,
      chainId: manifest.chainIds[at] as LayerFetch['chainId'],
      parent: manifest.chainIds[at - 1],
    };
  });
  const present = await presentLayers(wanted, fetches);
  for (const [at, { job }] of wanted.entries())
    if (present[at] === undefined) await receiveBlob(blobs, job.descriptor, { content, signal });
  const layers = await bringLayers(wanted, { fetches, present, signal, progress: () => undefined });
  return { manifest, layers };
}

type FoundManifest = ImageManifest & { bytes: Uint8Array; configBytes: Uint8Array };

/** Down from indexes to the platform's manifest, with its config. */
async function followLayout(
  blobs: ClientBlobs,
  { digest, platform }: { digest: Digest; platform: Platform },
  { signal }: LayoutImagePorts,
): Promise<FoundManifest> {
  const options = { maxBytes: MAX_MANIFEST_BYTES, signal };
  let current = digest;
  let bytes = await readClientBlob(blobs, { digest }, options);
  let mediaType = documentType(bytes);
  for (let depth = 0; isIndexType(mediaType); depth++) {
    if (depth >= MAX_INDEX_DEPTH)
      throw new EngineError('invalid', 'Invalid index: indexes are nested too deep');
    const chosen = selectManifest(parseIndex(bytes, mediaType), platform);
    bytes = await readClientBlob(blobs, chosen, options);
    [current, mediaType] = [chosen.digest, chosen.mediaType];
  }
  const { config } = parseManifest(bytes, mediaType);
  if (!isImageConfigType(config.mediaType))
    throw new EngineError('invalid', `${current} of the layout is no container image`);
  const configBytes = await readClientBlob(blobs, config, { maxBytes: MAX_CONFIG_BYTES, signal });
  const stored = { digest: current, mediaType, size: bytes.length };
  return { ...joinImageManifest(stored, bytes, configBytes), bytes, configBytes };
}
