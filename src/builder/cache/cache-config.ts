import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type DiffId, isDigest, parseDiffId } from '../../oci/digest.ts';
import {
  arrayField,
  type JsonObject,
  objectField,
  optionalString,
  parseJsonObject,
  stringField,
} from '../../oci/json-fields.ts';

export const CACHE_CONFIG_TYPE = 'application/vnd.buildkit.cacheconfig.v0';
export const MAX_CACHE_CONFIG_BYTES = 16 << 20;
const MAX_ENTRIES = 10_000;

/** A layer as a cache describes it. */
export interface CachedLayer {
  descriptor: Descriptor;
  diffId: DiffId;
  tarSize: number;
  createdNano: bigint;
}

/** What led to a layer: a key of the solver's, and the layer's place among the cache's. */
export interface CachedResult {
  key: string;
  layer: number;
}

export interface CacheConfig {
  layers: readonly CachedLayer[];
  results: readonly CachedResult[];
  /** Cache mounts: what BuildKit's caches haven't got. */
  mounts: readonly CachedResult[];
}

/** What a manifest says of a layer of BuildKit's besides: its tar's digest, and when it was made. */
const DIFF_ID = 'containerd.io/uncompressed';
const CREATED_AT = 'buildkit/createdat';

/** A layer as a cache's manifest names it. */
export function layerDescriptor({ descriptor, diffId, createdNano }: CachedLayer): Descriptor {
  const annotations = { [CREATED_AT]: timeOf(createdNano), [DIFF_ID]: diffId };
  return { ...descriptor, annotations };
}

function timeOf(createdNano: bigint): string {
  return new Date(Number(createdNano / 1_000_000n)).toISOString();
}

/** BuildKit's form of a cache's description. Keys are this builder's own: a cache of BuildKit's is read, but nothing of it fits. */
export function renderCacheConfig({ layers, results, mounts }: CacheConfig): Uint8Array {
  const byKey = new Map<string, number[]>();
  for (const { key, layer } of results) byKey.set(key, [...(byKey.get(key) ?? []), layer]);
  const document = {
    layers: layers.map(({ descriptor, diffId, tarSize, createdNano }) => ({
      blob: descriptor.digest,
      parent: -1,
      annotations: {
        mediaType: descriptor.mediaType,
        diffID: diffId,
        size: descriptor.size,
        createdAt: timeOf(createdNano),
        'sampan.tarSize': String(tarSize),
        'sampan.createdNano': String(createdNano),
      },
    })),
    records: [...byKey].map(([digest, found]) => ({ digest, layers: found.map((layer) => ({ layer })) })),
    ...(mounts.length === 0 ? {} : { 'sampan.mounts': mounts }),
  };
  return new TextEncoder().encode(JSON.stringify(document));
}

/**
 * `blobs` are those that the cache's manifest names. BuildKit tells of a layer there alone.
 *
 * @throws EngineError "invalid": a cache comes from anywhere.
 */
export function parseCacheConfig(bytes: Uint8Array, blobs: readonly Descriptor[]): CacheConfig {
  const document = parseJsonObject(bytes, 'cache config', MAX_CACHE_CONFIG_BYTES);
  const byDigest = new Map<string, Descriptor>(blobs.map((blob) => [blob.digest, blob]));
  const found = listOf(document, 'layers').map((value, at) => layerOf(value, `layers[${at}]`, byDigest));
  const layers = found.filter((layer) => layer !== undefined);
  const results = listOf(document, 'records').flatMap((value, at): CachedResult[] => {
    const record = objectField(value, `records[${at}]`);
    const key = stringField(record['digest'], `records[${at}].digest`);
    return listOf(record, 'layers').flatMap((one) => {
      const { layer } = objectField(one, `records[${at}].layers`);
      if (typeof layer !== 'number' || !(layer in found)) throw malformed();
      const known = found[layer];
      return known === undefined ? [] : [{ key, layer: layers.indexOf(known) }];
    });
  });
  const mounts = listOf(document, 'sampan.mounts').map((value, at): CachedResult => {
    const { key, layer } = objectField(value, `sampan.mounts[${at}]`);
    if (typeof layer !== 'number' || layers[layer] === undefined) throw malformed();
    return { key: stringField(key, `sampan.mounts[${at}].key`), layer };
  });
  return { layers, results, mounts };
}

function listOf(object: JsonObject, name: string): unknown[] {
  const value = object[name];
  return value === undefined || value === null ? [] : arrayField(value, `cache config.${name}`, MAX_ENTRIES);
}

/** Undefined: nobody says what its tar is, so that it can't be had. */
function layerOf(
  value: unknown,
  field: string,
  blobs: ReadonlyMap<string, Descriptor>,
): CachedLayer | undefined {
  const layer = objectField(value, field);
  const digest = stringField(layer['blob'], `${field}.blob`);
  if (!isDigest(digest)) throw malformed();
  const annotations = objectField(layer['annotations'] ?? {}, `${field}.annotations`);
  const blob = blobs.get(digest);
  const diffId = optionalString(annotations['diffID'], `${field}.diffID`) ?? blob?.annotations?.[DIFF_ID];
  const size = annotations['size'] ?? blob?.size;
  if (diffId === undefined || size === undefined) return undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw malformed();
  const mediaType = optionalString(annotations['mediaType'], `${field}.mediaType`) ?? blob?.mediaType ?? '';
  return {
    descriptor: { mediaType, digest, size },
    diffId: parseDiffId(diffId),
    tarSize: Number(numberText(annotations['sampan.tarSize'])),
    createdNano: BigInt(numberText(annotations['sampan.createdNano'])),
  };
}

function numberText(value: unknown): string {
  return typeof value === 'string' && /^\d{1,19}$/.test(value) ? value : '0';
}

function malformed(): EngineError {
  return new EngineError('invalid', 'the cache description is malformed');
}
