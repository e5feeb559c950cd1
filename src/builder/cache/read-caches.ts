import type { Descriptor } from '../../oci/descriptor.ts';
import type { DiffId } from '../../oci/digest.ts';
import { MAX_CONFIG_BYTES, parseImageConfig } from '../../oci/image-config.ts';
import { optionalString, parseJsonObject } from '../../oci/json-fields.ts';
import { MAX_MANIFEST_BYTES, type Manifest, parseIndex, parseManifest } from '../../oci/manifest.ts';
import { isImageConfigType, isIndexType, MEDIA_TYPES } from '../../oci/media-types.ts';
import { isAttestation, matchesPlatform, type Platform } from '../../oci/platform.ts';
import {
  CACHE_CONFIG_TYPE,
  type CacheConfig,
  type CachedLayer,
  MAX_CACHE_CONFIG_BYTES,
  parseCacheConfig,
} from './cache-config.ts';

/** Where a cache's documents are. Both verify what they give. */
export interface CacheDocuments {
  manifest(descriptor: Descriptor): Promise<Uint8Array>;
  blob(descriptor: Descriptor): Promise<Uint8Array>;
}

type Contents = Pick<Manifest, 'config' | 'layers'>;

/** The caches that a document stands for: a cache's own manifest, or the images of the platforms that are built. */
export async function readCaches(
  bytes: Uint8Array,
  mediaType: string,
  { documents, platforms }: { documents: CacheDocuments; platforms: readonly Platform[] },
): Promise<CacheConfig[]> {
  const found: CacheConfig[] = [];
  for (const contents of await contentsOf(bytes, mediaType, { documents, platforms })) {
    const config = await cacheOf(contents, documents);
    if (config !== undefined) found.push(config);
  }
  return found;
}

/** What a document is that came without a type. */
export function documentType(bytes: Uint8Array): string {
  const document = parseJsonObject(bytes, 'manifest', MAX_MANIFEST_BYTES);
  const own = optionalString(document['mediaType'], 'manifest.mediaType') ?? '';
  if (own !== '') return own;
  return 'manifests' in document ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest;
}

/** A cache may be an index of blobs. */
async function contentsOf(
  bytes: Uint8Array,
  mediaType: string,
  { documents, platforms }: { documents: CacheDocuments; platforms: readonly Platform[] },
): Promise<Contents[]> {
  if (!isIndexType(mediaType)) return [parseManifest(bytes, mediaType)];
  const { manifests } = parseIndex(bytes, mediaType);
  const config = manifests.find((one) => one.mediaType === CACHE_CONFIG_TYPE);
  if (config !== undefined) return [{ config, layers: manifests }];
  const wanted = manifests.filter(
    (one) =>
      !isAttestation(one) &&
      platforms.some((platform) => one.platform === undefined || matchesPlatform(platform, one.platform)),
  );
  return await Promise.all(
    wanted.map(async (one) => parseManifest(await documents.manifest(one), one.mediaType)),
  );
}

async function cacheOf(contents: Contents, documents: CacheDocuments): Promise<CacheConfig | undefined> {
  const { config } = contents;
  if (config.mediaType === CACHE_CONFIG_TYPE)
    return parseCacheConfig(await documents.blob(config), contents.layers);
  if (!isImageConfigType(config.mediaType)) return undefined;
  return inlineCache(await documents.blob(config), contents);
}

/** An image's own cache: results by the places of its layers. */
export function inlineCache(
  config: Uint8Array,
  { layers }: Pick<Manifest, 'layers'>,
): CacheConfig | undefined {
  const document = parseJsonObject(config, 'image config', MAX_CONFIG_BYTES);
  const text = optionalString(document['moby.buildkit.cache.v0'], 'moby.buildkit.cache.v0');
  if (text === undefined || text === '') return undefined;
  const { diffIds } = parseImageConfig(config);
  const own = parseInline(Buffer.from(text, 'base64'));
  const cached = layers.map(
    (descriptor, at): CachedLayer => ({
      descriptor,
      diffId: diffIds[at] as DiffId,
      tarSize: 0,
      createdNano: own.get(at)?.createdNano ?? 0n,
    }),
  );
  const results = [...own].flatMap(([layer, { key }]) =>
    cached[layer] === undefined ? [] : [{ key, layer }],
  );
  return { layers: cached, results, mounts: [] };
}

/** BuildKit's own form isn't understood: nothing fits. */
function parseInline(bytes: Uint8Array): Map<number, { key: string; createdNano: bigint }> {
  const found = new Map<number, { key: string; createdNano: bigint }>();
  const document = parseJsonObject(bytes, 'inline cache', MAX_CACHE_CONFIG_BYTES) as {
    sampan?: unknown;
  };
  if (!Array.isArray(document.sampan)) return found;
  for (const one of document.sampan as unknown[]) {
    const { key, layer, created } = (one ?? {}) as Record<string, unknown>;
    if (typeof key !== 'string' || typeof layer !== 'number') continue;
    const time = typeof created === 'string' && /^\d{1,19}$/.test(created) ? BigInt(created) : 0n;
    found.set(layer, { key, createdNano: time });
  }
  return found;
}
