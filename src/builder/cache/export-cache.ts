import type { ContentStore } from '../../content/content-store.ts';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { ImageStore } from '../../images/image-store.ts';
import type { Lease } from '../../images/lease-store.ts';
import type { RegistryAccess } from '../../images/pull-image.ts';
import { type UploadRunner, withUploads } from '../../images/upload-runner.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { ChainId } from '../../oci/digest.ts';
import { MEDIA_TYPES } from '../../oci/media-types.ts';
import { canonicalName, parseReference, repositoryName, withDefaultTag } from '../../oci/reference.ts';
import { pushContent } from '../../registry/push-content.ts';
import type { BuildWatcher } from '../build-progress.ts';
import type { CacheTarget } from '../build-request.ts';
import type { BuildSession } from '../build-session.ts';
import { documentOf } from '../export/image-documents.ts';
import type { LayerBlobs } from '../export/layer-blobs.ts';
import type { BuiltStage } from '../export/store-build.ts';
import { watched } from '../solver/build-progress-teller.ts';
import type { SolvedKey } from '../solver/solve-build.ts';
import { CACHE_CONFIG_TYPE, type CachedLayer, renderCacheConfig } from './cache-config.ts';

export interface ExportCachePorts {
  content: ContentStore & { readonly root: string };
  store: ImageStore;
  registry: RegistryAccess;
  uploads: UploadRunner;
  blobs: LayerBlobs;
}

export interface ExportCacheOptions {
  session: BuildSession;
  /** Everything that the build came by. */
  solved: readonly SolvedKey[];
  stages: readonly BuiltStage[];
  lease: Lease;
  watch: BuildWatcher;
  signal: AbortSignal;
}

const KNOWN = new Set([
  'ref',
  'mode',
  'oci-mediatypes',
  'image-manifest',
  'compression',
  'compression-level',
  'force-compression',
  'ignore-error',
  'registry.insecure',
]);

/** @throws EngineError "invalid", "not-implemented", before anything is built. */
export function checkCacheTargets(targets: readonly CacheTarget[]): void {
  for (const { type, attributes } of targets) {
    if (type === 'local')
      throw new EngineError(
        'not-implemented',
        'cache of type local is not implemented; registry and inline are',
      );
    const unknown = Object.keys(attributes).find((name) => !KNOWN.has(name));
    if (unknown !== undefined)
      throw new EngineError('invalid', `unknown attribute ${JSON.stringify(unknown)} of cache ${type}`);
    if (type === 'registry' && (attributes['ref'] ?? '') === '')
      throw new EngineError('invalid', 'registry cache exporter requires ref');
    const { compression = 'gzip' } = attributes;
    if (compression !== 'gzip' && compression !== 'zstd' && compression !== 'uncompressed')
      throw new EngineError('not-implemented', `compression type ${compression} is not implemented`);
    if (attributes['oci-mediatypes'] === 'false' || attributes['image-manifest'] === 'false')
      throw new EngineError('not-implemented', `a cache is exported as an OCI image manifest`);
  }
}

/** Tell a registry what led to what, with the layers. @throws as `pushContent`, but where `ignore-error` is set. */
export async function exportCache(
  target: CacheTarget,
  ports: ExportCachePorts,
  options: ExportCacheOptions,
): Promise<void> {
  const { watch, signal } = options;
  try {
    await watched(watch, 'exporting cache to registry', async (teller) => {
      await send(target, ports, options);
      teller.transfer(`writing cache manifest ${canonicalName(refOf(target))}`, 0, { done: true });
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!/^(1|t|true)$/i.test(target.attributes['ignore-error'] ?? '')) throw error;
    const short = `failed to export the cache: ${messageOf(error)}`;
    watch({ type: 'warning', warning: { vertex: undefined, level: 1, short, detail: [], url: '' } });
  }
}

function refOf({ attributes }: CacheTarget) {
  return withDefaultTag(parseReference(attributes['ref'] ?? ''));
}

async function send(
  target: CacheTarget,
  ports: ExportCachePorts,
  options: ExportCacheOptions,
): Promise<void> {
  const { lease, signal, session } = options;
  const solved = target.mode === 'max' ? options.solved : keysOfImage(options);
  const plain = solved.map(({ layer }) => layer.descriptor);
  const { compression = 'gzip' } = target.attributes;
  const level = target.attributes['compression-level'];
  const form = {
    compression: compression as 'gzip',
    compressionLevel: level === undefined ? undefined : Number(level),
    forceCompression: false,
  };
  const descriptors = await ports.blobs.all(plain, form, { lease, signal });
  const layers = solved.map(({ layer }, at): CachedLayer => {
    const { diffId, tarSize, createdNano } = layer;
    return { descriptor: descriptors[at] as Descriptor, diffId, tarSize, createdNano };
  });
  const results = solved.map(({ key }, layer) => ({ key, layer }));
  const config = documentOf(CACHE_CONFIG_TYPE, renderCacheConfig({ layers, results }));
  const unique = [...new Map(descriptors.map((one) => [one.digest, one])).values()];
  const manifest = documentOf(MEDIA_TYPES.ociManifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: config.descriptor,
    layers: unique.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  });
  await lease.add({ blobs: [config.descriptor.digest], chains: [] });
  await ports.content.write(config.bytes);
  const reference = refOf(target);
  const { content, registry, uploads, store } = ports;
  const client = withUploads(registry.pushClient(), {
    uploads,
    contentRoot: content.root,
    registry: registry.config(),
  });
  const credentials = await session.credentials(reference.domain, { signal });
  const blobs = [...unique, config.descriptor].map((descriptor) => ({
    descriptor,
    open: (start: number) => content.stream(descriptor.digest, { start }),
    id: undefined,
  }));
  const insecure = /^(1|t|true)$/i.test(target.attributes['registry.insecure'] ?? '');
  await pushContent(
    client,
    { reference, blobs, manifests: [manifest] },
    {
      signal,
      credentials,
      tlsVerify: insecure ? false : undefined,
      maxConcurrentUploads: uploads.jobs,
      progress: () => undefined,
    },
  );
  await store.addSources(
    unique.map(({ digest }) => digest),
    repositoryName(reference),
  );
}

/** What led to the image's own layers: `mode=min`. */
function keysOfImage({ solved, stages }: Pick<ExportCacheOptions, 'solved' | 'stages'>): SolvedKey[] {
  const own = new Set<ChainId>(stages.flatMap(({ layers }) => layers.map(({ chainId }) => chainId)));
  return solved.filter(({ layer }) => own.has(layer.chainId));
}

/** The same for an image's own config: which of its layers came of which key. */
export function inlineCacheOf(
  stage: BuiltStage,
  layers: readonly Descriptor[],
  solved: readonly SolvedKey[],
): string {
  const below = layers.length - stage.layers.length;
  const places = new Map(stage.layers.map(({ chainId }, at) => [chainId, below + at]));
  const own = solved.flatMap(({ key, layer }) => {
    const place = places.get(layer.chainId);
    return place === undefined ? [] : [{ key, layer: place, created: String(layer.createdNano) }];
  });
  return JSON.stringify({ sampan: own });
}
