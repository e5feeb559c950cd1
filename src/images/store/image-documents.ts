import type { ContentStore } from '../../content/content-store.ts';
import { EngineError, kindOf } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { MAX_MANIFEST_BYTES, type Manifest, parseIndex, parseManifest } from '../../oci/manifest.ts';
import { isIndexType, isManifestType, isNonDistributable } from '../../oci/media-types.ts';

const MAX_DEPTH = 4;
const MAX_DOCUMENTS = 4096;

/** An index or manifest that is here, a manifest with all its blobs. */
export interface StoredDocument {
  descriptor: Descriptor;
  bytes: Uint8Array;
  /** undefined: an index. */
  manifest: Manifest | undefined;
  /** Config and layers; of layers that may lie elsewhere the ones that are here. */
  blobs: Descriptor[];
}

/** What lies here of an image. */
export interface ImageDocuments {
  /** Parents before children, each once. The root is first unless it is missing. */
  documents: StoredDocument[];
  /** What an index names, or the root itself, and isn't here whole. */
  missing: Descriptor[];
}

/**
 * Walk an image from its root through all indexes. A manifest that lacks a blob counts as missing, as does anything that is neither index nor manifest.
 *
 * @throws EngineError "invalid" for documents that don't parse, nest too deep, or are too many.
 */
export async function readDocuments(content: ContentStore, root: Descriptor): Promise<ImageDocuments> {
  const found: ImageDocuments = { documents: [], missing: [] };
  const seen = new Set<Digest>();
  let level = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw new EngineError('invalid', 'Invalid index: indexes are nested too deep');
    const next: Descriptor[] = [];
    for (const descriptor of level) {
      if (seen.has(descriptor.digest)) continue;
      seen.add(descriptor.digest);
      if (seen.size > MAX_DOCUMENTS)
        throw new EngineError('invalid', `Invalid index: it names more than ${MAX_DOCUMENTS} manifests`);
      const document = await readDocument(content, descriptor);
      if (document === undefined) found.missing.push(descriptor);
      else found.documents.push(document);
      if (document?.manifest === undefined && document !== undefined)
        next.push(...parseIndex(document.bytes, descriptor.mediaType).manifests);
    }
    level = next;
  }
  return found;
}

async function readDocument(
  content: ContentStore,
  descriptor: Descriptor,
): Promise<StoredDocument | undefined> {
  const { mediaType, digest, size } = descriptor;
  const isIndex = isIndexType(mediaType);
  if (!isIndex && !isManifestType(mediaType)) return undefined;
  if ((await content.size(digest)) !== size) return undefined;
  const bytes = await readIfWhole(content, digest);
  if (bytes === undefined) return undefined;
  if (isIndex) return { descriptor, bytes, manifest: undefined, blobs: [] };
  const manifest = parseManifest(bytes, mediaType);
  const blobs: Descriptor[] = [];
  for (const blob of [manifest.config, ...manifest.layers]) {
    if ((await content.size(blob.digest)) === blob.size) blobs.push(blob);
    else if (!isNonDistributable(blob.mediaType)) return undefined;
  }
  return { descriptor, bytes, manifest, blobs };
}

async function readIfWhole(content: ContentStore, digest: Digest): Promise<Uint8Array | undefined> {
  try {
    return await content.read(digest, { maxBytes: MAX_MANIFEST_BYTES });
  } catch (error) {
    if (kindOf(error) === 'not-found') return undefined;
    throw error;
  }
}

/** All that the documents stand for: themselves and their blobs, each once. */
export function contentOf({ documents }: ImageDocuments): Digest[] {
  return [
    ...new Set(
      documents.flatMap(({ descriptor, blobs }) => [descriptor.digest, ...blobs.map(({ digest }) => digest)]),
    ),
  ];
}
