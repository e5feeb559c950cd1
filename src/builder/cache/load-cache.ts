import { kindOf } from '../../errors/engine-error.ts';
import type { LayerOrigin } from '../../images/layer-job.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { DiffId } from '../../oci/digest.ts';
import { MAX_CONFIG_BYTES, parseImageConfig } from '../../oci/image-config.ts';
import { optionalString, parseJsonObject } from '../../oci/json-fields.ts';
import { type Manifest, parseIndex, parseManifest } from '../../oci/manifest.ts';
import { isImageConfigType, isIndexType } from '../../oci/media-types.ts';
import { isAttestation, matchesPlatform, type Platform } from '../../oci/platform.ts';
import { canonicalName, type Reference, withDigest } from '../../oci/reference.ts';
import { readBlob as fetchBlob } from '../../registry/read-blob.ts';
import type { RegistryRequest, ResolvedManifest } from '../../registry/registry-client.ts';
import {
  CACHE_CONFIG_TYPE,
  type CacheConfig,
  type CachedLayer,
  MAX_CACHE_CONFIG_BYTES,
  parseCacheConfig,
} from './cache-config.ts';
import type { ImportCachePorts } from './import-cache.ts';

export interface LoadedCache {
  config: CacheConfig;
  /** Where the layers' blobs are, those that aren't here. */
  origin: LayerOrigin | undefined;
}

interface LoadOptions {
  request: RegistryRequest;
  platforms: readonly Platform[];
}

/** The caches that a name stands for: an image of that name here with its own cache, or what its registry has. */
export async function loadCaches(
  reference: Reference,
  ports: ImportCachePorts,
  options: LoadOptions,
): Promise<LoadedCache[]> {
  const here = await localCaches(reference, ports);
  if (here.length > 0) return here;
  const registry = ports.registry.client();
  const resolved = await registry.manifest(reference, options.request);
  const { credentials, tlsVerify } = options.request;
  const origin = { repository: reference, source: resolved.source, credentials, tlsVerify };
  const read = (descriptor: Descriptor): Promise<Uint8Array> =>
    readBlob(descriptor, { reference, ports, request: options.request });
  const loaded: LoadedCache[] = [];
  for (const manifest of await manifestsOf(resolved, reference, { ports, options, read })) {
    const config = await cacheOf(manifest, read);
    if (config !== undefined) loaded.push({ config, origin });
  }
  return loaded;
}

async function localCaches(
  reference: Reference,
  { store, content }: ImportCachePorts,
): Promise<LoadedCache[]> {
  const tag = store.tag(canonicalName(reference));
  const image = tag === undefined ? undefined : store.image(tag.image);
  const loaded: LoadedCache[] = [];
  for (const { manifest } of image?.manifests ?? []) {
    const bytes = await content.read(manifest.config.digest, { maxBytes: MAX_CONFIG_BYTES });
    const config = inlineCache(bytes, manifest);
    if (config !== undefined) loaded.push({ config, origin: undefined });
  }
  return loaded;
}

/** A cache's own manifest, or the images of the platforms that are built; an old cache is an index of blobs. */
async function manifestsOf(
  { descriptor, bytes }: ResolvedManifest,
  reference: Reference,
  context: { ports: ImportCachePorts; options: LoadOptions; read: (blob: Descriptor) => Promise<Uint8Array> },
): Promise<Pick<Manifest, 'config' | 'layers'>[]> {
  if (!isIndexType(descriptor.mediaType)) return [parseManifest(bytes, descriptor.mediaType)];
  const { manifests } = parseIndex(bytes, descriptor.mediaType);
  const config = manifests.find(({ mediaType }) => mediaType === CACHE_CONFIG_TYPE);
  if (config !== undefined) return [{ config, layers: manifests }];
  const { platforms, request } = context.options;
  const wanted = manifests.filter(
    (one) =>
      !isAttestation(one) &&
      platforms.some((platform) => one.platform === undefined || matchesPlatform(platform, one.platform)),
  );
  const client = context.ports.registry.client();
  return await Promise.all(
    wanted.map(async ({ digest, mediaType }) => {
      const found = await client.manifest(withDigest(reference, digest), request);
      return parseManifest(found.bytes, mediaType);
    }),
  );
}

async function cacheOf(
  manifest: Pick<Manifest, 'config' | 'layers'>,
  read: (blob: Descriptor) => Promise<Uint8Array>,
): Promise<CacheConfig | undefined> {
  const { config } = manifest;
  if (config.mediaType === CACHE_CONFIG_TYPE) return parseCacheConfig(await read(config));
  return isImageConfigType(config.mediaType) ? inlineCache(await read(config), manifest) : undefined;
}

/** An image's own cache: results by the places of its layers. */
function inlineCache(config: Uint8Array, { layers }: Pick<Manifest, 'layers'>): CacheConfig | undefined {
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
  return { layers: cached, results };
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

/** Verified. @throws EngineError as `RegistryClient`, "invalid" for more or other bytes than the descriptor says. */
async function readBlob(
  descriptor: Descriptor,
  { reference, ports, request }: { reference: Reference; ports: ImportCachePorts; request: RegistryRequest },
): Promise<Uint8Array> {
  const { digest, size } = descriptor;
  try {
    return await ports.content.read(digest, { maxBytes: MAX_CACHE_CONFIG_BYTES });
  } catch (error) {
    if (kindOf(error) !== 'not-found') throw error;
  }
  const blob = { repository: reference, descriptor: { digest, size }, maxBytes: MAX_CACHE_CONFIG_BYTES };
  return await fetchBlob(ports.registry.client(), blob, request);
}
