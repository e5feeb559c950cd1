import { randomUUID } from 'node:crypto';
import { GzipMembers } from '../../archive/gzip-members.ts';
import type { ContentStore } from '../../content/content-store.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { MAX_CONFIG_BYTES } from '../../oci/image-config.ts';
import { MAX_MANIFEST_BYTES } from '../../oci/manifest.ts';
import { isIndexType, MEDIA_TYPES } from '../../oci/media-types.ts';
import type { ImageGc } from '../store/gc.ts';
import {
  type ImageManifest,
  type ImageRecord,
  joinImageManifest,
  type StoredManifest,
} from '../store/image-record.ts';
import type { ImageStore, LayerBlob } from '../store/image-store.ts';
import type { Lease } from '../store/lease-store.ts';

export interface CompressPorts {
  content: ContentStore;
  store: ImageStore;
  gc: Pick<ImageGc, 'exclusively'>;
}

/** Below this it isn't worth another digest. */
const WORTH_BYTES = 1 << 20;

const COMPRESSED: Readonly<Record<string, string>> = {
  [MEDIA_TYPES.ociLayer]: MEDIA_TYPES.ociLayerGzip,
  [MEDIA_TYPES.dockerLayer]: MEDIA_TYPES.dockerLayerGzip,
};

/**
 * An image that was built here has its layers as they are, which costs a build nothing; for the way to a registry they are compressed, and the image
 * has another ID then. Resolves to that image, which is in the store without a name; to the same one where there is nothing to gain, or where
 * something was said about its manifests, which would be about others.
 *
 * The same image always becomes the same.
 */
export async function compressImage(
  image: ImageRecord,
  ports: CompressPorts,
  { lease, signal }: { lease: Pick<Lease, 'add'>; signal: AbortSignal },
): Promise<ImageRecord> {
  const plain = new Map(
    image.manifests
      .flatMap(({ manifest }) => manifest.layers.filter(isPlain))
      .map((one) => [one.digest, one]),
  );
  const bytes = [...plain.values()].reduce((sum, { size }) => sum + size, 0);
  if (bytes < WORTH_BYTES || image.extras.length > 0) return image;
  const made = new Map<Digest, Descriptor>();
  for (const layer of plain.values())
    made.set(layer.digest, await compressed(layer, ports, { lease, signal }));
  return await rewritten(image, made, { ports, lease });
}

function isPlain({ mediaType }: Descriptor): boolean {
  return COMPRESSED[mediaType] !== undefined;
}

async function compressed(
  layer: Descriptor,
  { content, gc }: CompressPorts,
  { lease, signal }: { lease: Pick<Lease, 'add'>; signal: AbortSignal },
): Promise<Descriptor> {
  const ingest = await content.ingest(`compressed-${randomUUID()}`, { ephemeral: true });
  try {
    const gzip = new GzipMembers((member) => ingest.write(member));
    for await (const chunk of content.stream(layer.digest)) {
      signal.throwIfAborted();
      await gzip.write(chunk);
    }
    await gzip.finish();
    return await gc.exclusively(async () => {
      const { digest, size } = await ingest.commit();
      await lease.add({ blobs: [digest], chains: [] });
      return { mediaType: COMPRESSED[layer.mediaType] ?? layer.mediaType, digest, size };
    });
  } catch (error) {
    await ingest.abort();
    throw error;
  }
}

interface Rewrite {
  ports: CompressPorts;
  lease: Pick<Lease, 'add'>;
}

async function rewritten(
  image: ImageRecord,
  layers: ReadonlyMap<Digest, Descriptor>,
  rewrite: Rewrite,
): Promise<ImageRecord> {
  const { content, store } = rewrite.ports;
  const manifests: ImageManifest[] = [];
  const replaced = new Map<Digest, StoredManifest>();
  for (const manifest of image.manifests) {
    const stored = await written(manifest, layers, rewrite);
    const config = await content.read(manifest.manifest.config.digest, { maxBytes: MAX_CONFIG_BYTES });
    manifests.push(
      joinImageManifest(stored, await content.read(stored.digest, { maxBytes: MAX_MANIFEST_BYTES }), config),
    );
    replaced.set(manifest.digest, stored);
  }
  const root = isIndexType(image.mediaType)
    ? await written(image, replaced, rewrite)
    : (replaced.get(image.id) ?? image);
  const { digest, mediaType, size } = root;
  await store.add({
    image: { digest, mediaType, size },
    manifests,
    layers: manifests.flatMap((manifest) => layerBlobs(manifest, store)),
    tags: [],
  });
  return store.image(digest) ?? image;
}

/** The document with other descriptors in the place of those that were replaced, and everything else as it was. */
async function written(
  { digest, mediaType }: StoredManifest,
  replaced: ReadonlyMap<Digest, Pick<Descriptor, 'mediaType' | 'digest' | 'size'>>,
  { ports, lease }: Rewrite,
): Promise<StoredManifest> {
  const text = new TextDecoder().decode(await ports.content.read(digest, { maxBytes: MAX_MANIFEST_BYTES }));
  const document = JSON.parse(text) as Record<string, unknown>;
  for (const key of ['layers', 'manifests']) {
    const list = document[key];
    if (!Array.isArray(list)) continue;
    document[key] = (list as Descriptor[]).map((one) => {
      const other = replaced.get(one.digest);
      return other === undefined
        ? one
        : { ...one, mediaType: other.mediaType, digest: other.digest, size: other.size };
    });
  }
  const bytes = new TextEncoder().encode(JSON.stringify(document));
  const own = digestOf(bytes);
  await lease.add({ blobs: [own], chains: [] });
  await ports.content.write(bytes, own);
  return { digest: own, mediaType, size: bytes.length };
}

function layerBlobs({ manifest, config }: ImageManifest, store: ImageStore): LayerBlob[] {
  return config.diffIds.flatMap((diffId, at) => {
    const layer = manifest.layers[at];
    return layer === undefined
      ? []
      : [{ diffId, blob: layer.digest, blobSize: layer.size, tarSize: store.tarSize(diffId) }];
  });
}
