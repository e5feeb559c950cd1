import type { ContentStore } from '../../content/content-store.ts';
import { EngineError, kindOf } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { MAX_CONFIG_BYTES } from '../../oci/image-config.ts';
import { MAX_MANIFEST_BYTES, type Manifest, parseIndex, parseManifest } from '../../oci/manifest.ts';
import { isImageConfigType, isIndexType, isLayerType, isManifestType } from '../../oci/media-types.ts';
import { type Platform, selectManifest } from '../../oci/platform.ts';
import type { Reference } from '../../oci/reference.ts';
import { readBlob } from '../../registry/client/read-blob.ts';
import type {
  RegistryClient,
  RegistryRequest,
  RegistrySource,
} from '../../registry/client/registry-client.ts';

/** A document of a pull: what it is and its bytes, verified. */
export interface Document {
  descriptor: Descriptor;
  bytes: Uint8Array;
}

/** From what a reference names down to one platform's manifest. */
export interface PulledManifest {
  /** The index, or the manifest itself. */
  root: Document;
  /** Indexes on the way, root first, then the manifest. */
  documents: Document[];
  manifest: Manifest;
  source: RegistrySource;
}

export interface ManifestPorts {
  registry: RegistryClient;
  content: ContentStore;
  request: RegistryRequest;
}

const MAX_INDEX_DEPTH = 3;

/**
 * Follow `root` to the manifest for `platform`. Documents that are here already are not asked for again.
 *
 * @throws as RegistryClient; "not-found" code no-matching-platform; "invalid" for anything but a container image.
 */
export async function followManifest(
  root: Document & { source: RegistrySource },
  options: { reference: Reference; platform: Platform; ports: ManifestPorts },
): Promise<PulledManifest> {
  const documents: Document[] = [{ descriptor: root.descriptor, bytes: root.bytes }];
  let current: Document = root;
  while (isIndexType(current.descriptor.mediaType)) {
    if (documents.length > MAX_INDEX_DEPTH)
      throw new EngineError('invalid', 'Invalid index: indexes are nested too deep');
    const chosen = selectManifest(parseIndex(current.bytes, current.descriptor.mediaType), options.platform);
    current = await childDocument(chosen, root.source, options);
    documents.push(current);
  }
  const { mediaType } = current.descriptor;
  if (!isManifestType(mediaType))
    throw new EngineError('invalid', `unsupported manifest media type ${JSON.stringify(mediaType)}`);
  const manifest = parseManifest(current.bytes, mediaType);
  refuseArtifacts(manifest);
  return { root: documents[0] ?? current, documents, manifest, source: root.source };
}

/** A document that another one names, bounded and verified. It is not stored by this. */
export async function childDocument(
  descriptor: Descriptor,
  source: RegistrySource,
  { reference, ports }: { reference: Reference; ports: ManifestPorts },
): Promise<Document> {
  if (descriptor.size > MAX_MANIFEST_BYTES) throw tooLarge(descriptor, MAX_MANIFEST_BYTES);
  const stored = await storedDocument(descriptor, ports.content, MAX_MANIFEST_BYTES);
  if (stored !== undefined) return { descriptor, bytes: stored };
  const child = { ...reference, tag: undefined, digest: descriptor.digest };
  const { bytes } = await ports.registry.manifest(child, { ...ports.request, source });
  if (bytes.length !== descriptor.size)
    throw new EngineError(
      'invalid',
      `manifest ${descriptor.digest} has ${bytes.length} bytes, its index says ${descriptor.size}`,
      { code: 'digest-mismatch' },
    );
  return { descriptor, bytes };
}

/** undefined also for one that is damaged, or goes between the look and the read. */
async function storedDocument(
  { digest, size }: Descriptor,
  content: ContentStore,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  if ((await content.size(digest)) !== size) return undefined;
  try {
    return await content.read(digest, { maxBytes });
  } catch (error) {
    if (kindOf(error) === 'not-found') return undefined;
    throw error;
  }
}

function refuseArtifacts({ config, layers }: Manifest): void {
  if (!isImageConfigType(config.mediaType))
    throw new EngineError(
      'invalid',
      `Encountered remote ${JSON.stringify(config.mediaType)} when fetching: it is no container image`,
    );
  for (const { mediaType } of layers)
    if (!isLayerType(mediaType))
      throw new EngineError('invalid', `unsupported layer media type ${JSON.stringify(mediaType)}`);
}

export interface SmallBlob {
  descriptor: Descriptor;
  reference: Reference;
  source: RegistrySource;
}

/** The image's config. @throws as `smallBlob`. */
export async function pullConfig(blob: SmallBlob, ports: ManifestPorts): Promise<Uint8Array> {
  return await smallBlob({ ...blob, maxBytes: MAX_CONFIG_BYTES }, ports);
}

/** A small blob, whole, bounded by its declared size and verified by the store. Stored when this resolves. @throws as `readBlob`. */
export async function smallBlob(
  { descriptor, reference, source, maxBytes }: SmallBlob & { maxBytes: number },
  ports: ManifestPorts,
): Promise<Uint8Array> {
  const stored = await storedDocument(descriptor, ports.content, maxBytes);
  if (stored !== undefined) return stored;
  const bytes = await readBlob(
    ports.registry,
    { repository: reference, descriptor, maxBytes },
    { ...ports.request, source },
  );
  await ports.content.write(bytes, descriptor.digest);
  return bytes;
}

function tooLarge({ digest, size }: Descriptor, limit: number): EngineError {
  return new EngineError('invalid', `${digest} says it has ${size} bytes, at most ${limit} are taken`, {
    code: 'size-exceeded',
  });
}
