import { kindOf } from '../../errors/engine-error.ts';
import type { LayerOrigin } from '../../images/layers/layer-job.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { MAX_CONFIG_BYTES } from '../../oci/image-config.ts';
import { MAX_MANIFEST_BYTES } from '../../oci/manifest.ts';
import type { Platform } from '../../oci/platform.ts';
import { canonicalName, type Reference, withDigest } from '../../oci/reference.ts';
import { readBlob as fetchBlob } from '../../registry/client/read-blob.ts';
import type { RegistryRequest } from '../../registry/client/registry-client.ts';
import type { ClientBlobs } from '../client-blobs.ts';
import { readClientBlob } from '../sources/receive-blob.ts';
import { type CacheConfig, MAX_CACHE_CONFIG_BYTES } from './cache-config.ts';
import type { ImportCachePorts } from './import-cache.ts';
import { documentType, inlineCache, readCaches } from './read-caches.ts';

export interface LoadedCache {
  config: CacheConfig;
  /** Where the layers' blobs are, those that aren't here. */
  origin: LayerOrigin | ClientBlobs | undefined;
}

interface LoadOptions {
  request: RegistryRequest;
  platforms: readonly Platform[];
}

/** The caches that a name stands for: an image of that name here with its own cache, or what its registry has. */
export async function loadCaches(
  reference: Reference,
  ports: ImportCachePorts,
  { request, platforms }: LoadOptions,
): Promise<LoadedCache[]> {
  const here = await localCaches(reference, ports);
  if (here.length > 0) return here;
  const registry = ports.registry.client();
  const resolved = await registry.manifest(reference, request);
  const { credentials, tlsVerify } = request;
  const origin = { repository: reference, source: resolved.source, credentials, tlsVerify };
  const documents = {
    manifest: async ({ digest }: Descriptor) =>
      (await registry.manifest(withDigest(reference, digest), request)).bytes,
    blob: (descriptor: Descriptor) => readBlob(descriptor, { reference, ports, request }),
  };
  const { bytes, descriptor } = resolved;
  const configs = await readCaches(bytes, descriptor.mediaType, { documents, platforms });
  return configs.map((config) => ({ config, origin }));
}

/** The caches that a client has in a layout of its own. */
export async function loadClientCaches(
  blobs: ClientBlobs,
  digest: Digest,
  { platforms, signal }: { platforms: readonly Platform[]; signal: AbortSignal },
): Promise<LoadedCache[]> {
  const documents = {
    manifest: (descriptor: Descriptor) =>
      readClientBlob(blobs, descriptor, { maxBytes: MAX_MANIFEST_BYTES, signal }),
    blob: (descriptor: Descriptor) =>
      readClientBlob(blobs, descriptor, { maxBytes: MAX_CACHE_CONFIG_BYTES, signal }),
  };
  const bytes = await readClientBlob(blobs, { digest }, { maxBytes: MAX_MANIFEST_BYTES, signal });
  const configs = await readCaches(bytes, documentType(bytes), { documents, platforms });
  return configs.map((config) => ({ config, origin: blobs }));
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
