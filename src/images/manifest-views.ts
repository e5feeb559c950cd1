import type { ContentStore } from '../content/content-store.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES, type Manifest, parseIndex, parseManifest } from '../oci/manifest.ts';
import { isImageConfigType, isIndexType, isManifestType } from '../oci/media-types.ts';
import { isAttestation, type Platform } from '../oci/platform.ts';
import { readDocuments } from './store/image-documents.ts';
import type { ImageManifest, ImageRecord } from './store/image-record.ts';
import type { ImageStore } from './store/image-store.ts';
import type { ImageUsage } from './store/image-usage.ts';
import { rootOf } from './transfer/transfer-target.ts';

/** One manifest of an image, here or not. */
export interface ManifestView {
  descriptor: Descriptor;
  /** Whether all its content is here. */
  available: boolean;
  /** Bytes of its blobs that are here. */
  contentBytes: number;
  kind: 'image' | 'attestation' | 'unknown';
  /** Of an image. */
  platform: Platform | undefined;
  /** Sum of its layers' tars, bytes; 0 for what isn't unpacked. */
  unpackedBytes: number;
  /** Ids of containers that were made from it. */
  containers: string[];
  /** The manifest that an attestation speaks of. */
  attests: Digest | undefined;
}

export interface ManifestPorts {
  content: ContentStore;
  store: ImageStore;
  usage: ImageUsage;
}

/** The manifests of an image in its index's order; of an image without index itself. */
export async function viewManifests(image: ImageRecord, ports: ManifestPorts): Promise<ManifestView[]> {
  const whole = await readDocuments(ports.content, rootOf(image));
  const indexes = whole.documents.filter(({ manifest }) => manifest === undefined);
  const entries = indexes.flatMap(
    ({ bytes, descriptor }) => parseIndex(bytes, descriptor.mediaType).manifests,
  );
  const listed =
    indexes.length === 0 ? [rootOf(image)] : entries.filter(({ mediaType }) => !isIndexType(mediaType));
  const available = new Set(whole.documents.map(({ descriptor }) => descriptor.digest));
  const views: ManifestView[] = [];
  for (const descriptor of listed)
    views.push(
      await viewManifest(descriptor, { image, ports, isAvailable: available.has(descriptor.digest) }),
    );
  return views;
}

async function viewManifest(
  descriptor: Descriptor,
  { image, ports, isAvailable }: { image: ImageRecord; ports: ManifestPorts; isAvailable: boolean },
): Promise<ManifestView> {
  const known = image.manifests.find(({ digest }) => digest === descriptor.digest);
  const manifest = known?.manifest ?? (await readManifest(descriptor, ports.content));
  const kind = kindOf(descriptor, manifest);
  const isImage = kind === 'image';
  const attested = descriptor.annotations?.['vnd.docker.reference.digest'];
  return {
    descriptor,
    available: isAvailable,
    contentBytes: manifest === undefined ? 0 : await presentBytes(descriptor, manifest, ports.content),
    kind,
    platform: isImage ? (descriptor.platform ?? known?.config.platform) : undefined,
    unpackedBytes: known === undefined ? 0 : unpackedBytes(known, ports.store),
    containers: isImage ? ports.usage.manifestUsedBy(descriptor.digest).map(({ id }) => id) : [],
    attests: kind === 'attestation' && attested !== undefined && isDigest(attested) ? attested : undefined,
  };
}

function kindOf(descriptor: Descriptor, manifest: Manifest | undefined): ManifestView['kind'] {
  if (descriptor.annotations?.['vnd.docker.reference.type'] === 'attestation-manifest') return 'attestation';
  if (isAttestation(descriptor) || !isManifestType(descriptor.mediaType)) return 'unknown';
  return manifest === undefined || isImageConfigType(manifest.config.mediaType) ? 'image' : 'unknown';
}

async function readManifest(
  { digest, mediaType, size }: Descriptor,
  content: ContentStore,
): Promise<Manifest | undefined> {
  if (!isManifestType(mediaType) || (await content.size(digest)) !== size) return undefined;
  return parseManifest(await content.read(digest, { maxBytes: MAX_MANIFEST_BYTES }), mediaType);
}

async function presentBytes(
  descriptor: Descriptor,
  { config, layers }: Manifest,
  content: ContentStore,
): Promise<number> {
  const sizes = new Map([descriptor, config, ...layers].map(({ digest, size }) => [digest, size]));
  let bytes = 0;
  for (const [digest, size] of sizes) if ((await content.size(digest)) === size) bytes += size;
  return bytes;
}

function unpackedBytes({ config }: ImageManifest, store: ImageStore): number {
  return config.diffIds.reduce((sum, diffId) => sum + store.tarSize(diffId), 0);
}
