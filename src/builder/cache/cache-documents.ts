import type { Lease } from '../../images/store/lease-store.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { MEDIA_TYPES } from '../../oci/media-types.ts';
import type { CacheTarget } from '../build-request.ts';
import { type BuiltDocument, documentOf, layerType } from '../export/image-documents.ts';
import type { LayerBlobs } from '../export/layer-blobs.ts';
import type { SolvedKey } from '../solver/solve-build.ts';
import { CACHE_CONFIG_TYPE, type CachedLayer, layerDescriptor, renderCacheConfig } from './cache-config.ts';

/** A cache as it is kept: what led to what, the layers' blobs, and what names them all. */
export interface CacheDocuments {
  config: BuiltDocument;
  /** Each once. */
  layers: readonly Descriptor[];
  manifest: BuiltDocument;
}

/** Layers get the form in which the target wants them. */
export async function cacheDocuments(
  { solved, mounts }: { solved: readonly SolvedKey[]; mounts: readonly SolvedKey[] },
  { attributes }: Pick<CacheTarget, 'attributes'>,
  { blobs, lease, signal }: { blobs: LayerBlobs; lease: Lease; signal: AbortSignal },
): Promise<CacheDocuments> {
  const { compression = 'gzip' } = attributes;
  const level = attributes['compression-level'];
  const form = {
    compression: compression as 'gzip',
    compressionLevel: level === undefined ? undefined : Number(level),
    forceCompression: /^(1|t|true)$/i.test(attributes['force-compression'] ?? ''),
  };
  const all = [...solved, ...mounts];
  const descriptors = await blobs.all(
    all.map(({ layer }) => layer.descriptor),
    form,
    { lease, signal },
  );
  const { ociTypes, isImage } = cacheForm(attributes);
  const layers = all.map(({ layer }, at): CachedLayer => {
    const { mediaType, digest, size } = descriptors[at] as Descriptor;
    const { diffId, tarSize, createdNano } = layer;
    const descriptor = { mediaType: layerType(mediaType, ociTypes), digest, size };
    return { descriptor, diffId, tarSize, createdNano };
  });
  const places = all.map(({ key }, layer) => ({ key, layer }));
  const found = { results: places.slice(0, solved.length), mounts: places.slice(solved.length) };
  const config = documentOf(CACHE_CONFIG_TYPE, renderCacheConfig({ layers, ...found }));
  const named = layers.map((layer) => layerDescriptor(layer));
  const unique = [...new Map(named.map((descriptor) => [descriptor.digest, descriptor])).values()];
  return { config, layers: unique, manifest: manifestOf({ config, layers: unique }, { ociTypes, isImage }) };
}

/** BuildKit's two forms: an image's manifest, or an index of blobs, which older ones wrote and some registries refuse. */
export function cacheForm(attributes: CacheTarget['attributes']): { ociTypes: boolean; isImage: boolean } {
  const ociTypes = attributes['oci-mediatypes'] !== 'false';
  const isImage = (attributes['image-manifest'] ?? String(ociTypes)) !== 'false';
  return { ociTypes, isImage };
}

function manifestOf(
  { config, layers }: Pick<CacheDocuments, 'config' | 'layers'>,
  { ociTypes, isImage }: ReturnType<typeof cacheForm>,
): BuiltDocument {
  const schemaVersion = 2;
  if (isImage) {
    const mediaType = MEDIA_TYPES.ociManifest;
    return documentOf(mediaType, { schemaVersion, mediaType, config: config.descriptor, layers });
  }
  const mediaType = ociTypes ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.dockerList;
  return documentOf(mediaType, { schemaVersion, mediaType, manifests: [...layers, config.descriptor] });
}
