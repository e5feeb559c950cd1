import type { ContentStore } from '../../content/content-store.ts';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { ImageStore } from '../../images/store/image-store.ts';
import type { Lease } from '../../images/store/lease-store.ts';
import type { RegistryAccess } from '../../images/transfer/pull-image.ts';
import { type UploadRunner, withUploads } from '../../images/transfer/upload-runner.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { ChainId } from '../../oci/digest.ts';
import { canonicalName, parseReference, repositoryName, withDefaultTag } from '../../oci/reference.ts';
import { pushContent } from '../../registry/client/push-content.ts';
import type { BuildWatcher } from '../build-progress.ts';
import type { CacheTarget } from '../build-request.ts';
import type { BuildSession } from '../build-session.ts';
import { cacheStore } from '../client-blobs.ts';
import type { FileLayerPorts } from '../copy/make-file-layer.ts';
import type { CacheMounts } from '../execute/cache-mounts.ts';
import type { LayerBlobs } from '../export/layer-blobs.ts';
import type { BuiltStage } from '../export/store-build.ts';
import { type VertexTeller, watched } from '../solver/build-progress-teller.ts';
import type { SolvedKey } from '../solver/solve-build.ts';
import { type CacheDocuments, cacheDocuments, cacheForm } from './cache-documents.ts';
import { mountLayer } from './mount-layer.ts';

export interface ExportCachePorts {
  content: ContentStore & { readonly root: string };
  store: ImageStore;
  registry: RegistryAccess;
  uploads: UploadRunner;
  blobs: LayerBlobs;
  layers: FileLayerPorts;
  mounts: CacheMounts;
}

export interface ExportCacheOptions {
  session: BuildSession;
  /** Everything that the build came by. */
  solved: readonly SolvedKey[];
  /** Keys of its cache mounts. */
  mounts: readonly string[];
  stages: readonly BuiltStage[];
  lease: Lease;
  watch: BuildWatcher;
  signal: AbortSignal;
}

const KNOWN = [
  'mode',
  'oci-mediatypes',
  'image-manifest',
  'compression',
  'compression-level',
  'force-compression',
  'ignore-error',
  'mounts',
];

/** Besides those; what of them is the client's own affair included. */
const OWN: Readonly<Record<CacheTarget['type'], readonly string[]>> = {
  registry: ['ref', 'registry.insecure'],
  local: ['dest', 'tag', 'reset'],
  inline: ['ref'],
};

/** @throws EngineError "invalid", "not-implemented", before anything is built. */
export function checkCacheTargets(targets: readonly CacheTarget[]): void {
  for (const { type, attributes } of targets) {
    const known = [...KNOWN, ...OWN[type]];
    const unknown = Object.keys(attributes).find((name) => !known.includes(name));
    if (unknown !== undefined)
      throw new EngineError('invalid', `unknown attribute ${JSON.stringify(unknown)} of cache ${type}`);
    if (type === 'registry' && (attributes['ref'] ?? '') === '')
      throw new EngineError('invalid', 'registry cache exporter requires ref');
    if (type === 'local' && (attributes['dest'] ?? '') === '')
      throw new EngineError('invalid', 'local cache exporter requires dest');
    const { compression = 'gzip' } = attributes;
    if (compression !== 'gzip' && compression !== 'zstd' && compression !== 'uncompressed')
      throw new EngineError('not-implemented', `compression type ${compression} is not implemented`);
    const { isImage, ociTypes } = cacheForm(attributes);
    if (isImage && !ociTypes) throw new EngineError('invalid', 'invalid configuration for remote cache');
  }
}

/**
 * Tell a registry or the client what led to what, with the layers. Resolves to what the client is told of it, by BuildKit's names.
 *
 * @throws as `pushContent` and `ClientBlobs`, but where `ignore-error` is set.
 */
export async function exportCache(
  target: CacheTarget,
  ports: ExportCachePorts,
  options: ExportCacheOptions,
): Promise<Record<string, string>> {
  const { watch, signal } = options;
  const place = target.type === 'local' ? 'client directory' : 'registry';
  try {
    return await watched(watch, `exporting cache to ${place}`, async (teller) => {
      return await new CacheExport(target, ports, { ...options, teller }).run();
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!isTrue(target.attributes['ignore-error'])) throw error;
    const short = `failed to export the cache: ${messageOf(error)}`;
    watch({ type: 'warning', warning: { vertex: undefined, level: 1, short, detail: [], url: '' } });
    return {};
  }
}

class CacheExport {
  readonly #target: CacheTarget;
  readonly #ports: ExportCachePorts;
  readonly #options: ExportCacheOptions & { teller: VertexTeller };

  constructor(
    target: CacheTarget,
    ports: ExportCachePorts,
    options: ExportCacheOptions & { teller: VertexTeller },
  ) {
    this.#target = target;
    this.#ports = ports;
    this.#options = options;
  }

  async run(): Promise<Record<string, string>> {
    const { lease, signal, teller } = this.#options;
    const { content, blobs } = this.#ports;
    const solved = this.#target.mode === 'max' ? this.#options.solved : keysOfImage(this.#options);
    const mounts = isTrue(this.#target.attributes['mounts']) ? await this.#mounts() : [];
    if (solved.length + mounts.length === 0) {
      teller.transfer('skipping cache export for empty result', 0, { done: true });
      return {};
    }
    const documents = await cacheDocuments({ solved, mounts }, this.#target, { blobs, lease, signal });
    const { config, manifest } = documents;
    await lease.add({ blobs: [config.descriptor.digest], chains: [] });
    await content.write(config.bytes);
    if (this.#target.type === 'local') await this.#toClient(documents);
    else await this.#toRegistry(documents);
    return { 'cache.manifest': JSON.stringify(manifest.descriptor) };
  }

  /** Each as a layer. One that can't be read whole (another build writes to it, say) is told of and left out. */
  async #mounts(): Promise<SolvedKey[]> {
    const { mounts, layers } = this.#ports;
    const { lease, signal, watch } = this.#options;
    const made: SolvedKey[] = [];
    for (const key of this.#options.mounts) {
      const held = mounts.holdFound(key);
      if (held === undefined) continue;
      try {
        made.push({ key, layer: await mountLayer(held.directory, { ports: layers, lease, signal }) });
      } catch (error) {
        signal.throwIfAborted();
        const short = `failed to export a cache mount: ${messageOf(error)}`;
        watch({ type: 'warning', warning: { vertex: undefined, level: 1, short, detail: [], url: '' } });
      } finally {
        held.release();
      }
    }
    return made;
  }

  /** One after the other, what names the others last. */
  async #toClient({ layers, config, manifest }: CacheDocuments): Promise<void> {
    const { session, signal, teller } = this.#options;
    const client = session.blobs(cacheStore(this.#target.attributes['dest'] ?? ''));
    for (const layer of layers) {
      await client.write(layer, () => this.#ports.content.stream(layer.digest), { signal });
      teller.transfer(`writing layer ${layer.digest}`, 0, { done: true });
    }
    for (const [title, { descriptor, bytes }] of [
      ['writing config', config],
      [titleOf(this.#target), manifest],
    ] as const) {
      await client.write(descriptor, () => once(bytes), { signal });
      teller.transfer(`${title} ${descriptor.digest}`, 0, { done: true });
    }
  }

  async #toRegistry({ layers, config, manifest }: CacheDocuments): Promise<void> {
    const { session, signal, teller } = this.#options;
    const { content, registry, uploads, store } = this.#ports;
    const reference = withDefaultTag(parseReference(this.#target.attributes['ref'] ?? ''));
    const client = withUploads(registry.pushClient(), {
      uploads,
      contentRoot: content.root,
      registry: registry.config(),
    });
    const credentials = await session.credentials(reference.domain, { signal });
    const blobs = [...layers, config.descriptor].map((descriptor: Descriptor) => ({
      descriptor,
      open: (start: number) => content.stream(descriptor.digest, { start }),
      id: undefined,
    }));
    await pushContent(
      client,
      { reference, blobs, manifests: [manifest] },
      {
        signal,
        credentials,
        tlsVerify: isTrue(this.#target.attributes['registry.insecure']) ? false : undefined,
        maxConcurrentUploads: uploads.jobs,
        progress: () => undefined,
      },
    );
    await store.addSources(
      layers.map(({ digest }) => digest),
      repositoryName(reference),
    );
    teller.transfer(`${titleOf(this.#target)} ${canonicalName(reference)}`, 0, { done: true });
  }
}

function titleOf({ attributes }: CacheTarget): string {
  return cacheForm(attributes).isImage ? 'writing cache image manifest' : 'writing cache manifest';
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function isTrue(text: string | undefined): boolean {
  return /^(1|t|true)$/i.test(text ?? '');
}

/** What led to the image's own layers: `mode=min`. */
function keysOfImage({ solved, stages }: Pick<ExportCacheOptions, 'solved' | 'stages'>): SolvedKey[] {
  const own = new Set<ChainId>(stages.flatMap(({ layers }) => layers.map(({ chainId }) => chainId)));
  return solved.filter(({ layer }) => own.has(layer.chainId));
}
