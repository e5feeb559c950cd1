import type { ContentStore } from '../../content/content-store.ts';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { LayerFetches } from '../../images/layers/layer-fetches.ts';
import type { ImageStore } from '../../images/store/image-store.ts';
import type { Lease } from '../../images/store/lease-store.ts';
import type { RegistryAccess } from '../../images/transfer/pull-image.ts';
import { ruleFor, type SignaturePolicy } from '../../images/transfer/signature-policy.ts';
import { type ChainId, type Digest, hexOf, parseDigest } from '../../oci/digest.ts';
import type { Platform } from '../../oci/platform.ts';
import { canonicalName, parseReference, type Reference, withDefaultTag } from '../../oci/reference.ts';
import type { BuildWatcher } from '../build-progress.ts';
import type { CacheSource } from '../build-request.ts';
import type { BuildSession } from '../build-session.ts';
import { cacheStore } from '../client-blobs.ts';
import { watched } from '../solver/build-progress-teller.ts';
import type { BuiltLayer } from '../solver/cache-record.ts';
import { placeLayer } from '../solver/place-layer.ts';
import { receiveBlob } from '../sources/receive-blob.ts';
import type { CachedLayer } from './cache-config.ts';
import { type LoadedCache, loadCaches, loadClientCaches } from './load-cache.ts';

export interface ImportCachePorts {
  content: ContentStore & { readonly root: string };
  store: ImageStore;
  registry: RegistryAccess;
  fetches: LayerFetches;
  /** What an image must have to be let in; undefined: nothing. */
  signaturePolicy: (() => Promise<SignaturePolicy>) | undefined;
}

export interface ImportCacheOptions {
  session: BuildSession;
  platforms: readonly Platform[];
  watch: BuildWatcher;
  signal: AbortSignal;
}

interface Found {
  layer: CachedLayer;
  origin: LoadedCache['origin'];
}

interface OpenSource {
  /** What progress calls its import. */
  title: string;
  name: string;
  load: () => Promise<LoadedCache[]>;
}

/** Results of builds elsewhere (`--cache-from`), by this builder's keys. A layer is brought here when a step wants it. */
export class ImportedCache {
  readonly #ports: ImportCachePorts;
  readonly #found = new Map<string, Found[]>();
  readonly #mounts = new Map<string, Found[]>();

  private constructor(ports: ImportCachePorts) {
    this.#ports = ports;
  }

  /** What can't be read is told of, and does without. @throws EngineError "invalid" for a source without a name; the signal's reason. */
  static async open(
    sources: readonly CacheSource[],
    ports: ImportCachePorts,
    options: ImportCacheOptions,
  ): Promise<ImportedCache> {
    const cache = new ImportedCache(ports);
    await Promise.all(sources.map((source) => cache.#add(source, options)));
    return cache;
  }

  /** The layer that a step with this key makes, put on `parent`. Undefined: unknown, or not to be had. The lease comes to hold it. */
  async bring(
    key: string,
    parent: ChainId | undefined,
    { lease, signal }: { lease: Lease; signal: AbortSignal },
  ): Promise<BuiltLayer | undefined> {
    return await this.#firstOf(this.#found.get(key) ?? [], parent, { lease, signal });
  }

  /** What a cache mount of that key held, as a chain of one layer. */
  async bringMount(
    key: string,
    options: { lease: Lease; signal: AbortSignal },
  ): Promise<ChainId | undefined> {
    return (await this.#firstOf(this.#mounts.get(key) ?? [], undefined, options))?.chainId;
  }

  async #firstOf(
    all: readonly Found[],
    parent: ChainId | undefined,
    { lease, signal }: { lease: Lease; signal: AbortSignal },
  ): Promise<BuiltLayer | undefined> {
    for (const found of all) {
      try {
        return await this.#place(found, parent, { lease, signal });
      } catch {
        signal.throwIfAborted();
        // Gone there, or damaged: the step is done instead.
      }
    }
    return undefined;
  }

  async #place(
    { layer, origin }: Found,
    parent: ChainId | undefined,
    { lease, signal }: { lease: Lease; signal: AbortSignal },
  ): Promise<BuiltLayer> {
    const ports = this.#ports;
    const placing = { ports, lease, signal };
    if (origin === undefined || !('read' in origin))
      return await placeLayer(layer, parent, { ...placing, origin });
    const receive = async (): Promise<void> =>
      await receiveBlob(origin, layer.descriptor, { content: ports.content, signal });
    return await placeLayer(layer, parent, { ...placing, receive });
  }

  async #add(source: CacheSource, options: ImportCacheOptions): Promise<void> {
    const { watch, signal } = options;
    const { title, name, load } =
      source.type === 'local' ? this.#client(source, options) : this.#registry(source, options);
    try {
      await watched(watch, title, async () => {
        for (const { config, origin } of await load())
          for (const [known, results] of [
            [this.#found, config.results],
            [this.#mounts, config.mounts],
          ] as const)
            for (const { key, layer } of results) {
              const found = config.layers[layer];
              if (found !== undefined) known.set(key, [...(known.get(key) ?? []), { layer: found, origin }]);
            }
      });
    } catch (error) {
      signal.throwIfAborted();
      const short = `failed to import the cache of ${name}: ${messageOf(error)}`;
      watch({ type: 'warning', warning: { vertex: undefined, level: 1, short, detail: [], url: '' } });
    }
  }

  #registry(source: CacheSource, { session, platforms, signal }: ImportCacheOptions): OpenSource {
    const reference = referenceOf(source);
    const name = canonicalName(reference);
    const load = async (): Promise<LoadedCache[]> => {
      await this.#refuseUnsigned(reference);
      const credentials = await session.credentials(reference.domain, { signal });
      const request = { signal, credentials, tlsVerify: undefined };
      return await loadCaches(reference, this.#ports, { request, platforms });
    };
    return { title: `importing cache manifest from ${name}`, name, load };
  }

  #client(source: CacheSource, { session, platforms, signal }: ImportCacheOptions): OpenSource {
    const { directory, digest } = clientCacheOf(source);
    const load = async (): Promise<LoadedCache[]> =>
      await loadClientCaches(session.blobs(cacheStore(directory)), digest, { platforms, signal });
    return { title: `importing cache manifest from local:${cacheId(digest)}`, name: directory, load };
  }

  /** A cache has no signature, and its layers would come into images unseen. */
  async #refuseUnsigned(reference: Reference): Promise<void> {
    const policy = await this.#ports.signaturePolicy?.();
    if (policy === undefined || ruleFor(policy, reference).rule.kind === 'accept') return;
    throw new EngineError('forbidden', 'the signature policy lets no cache in from there', {
      code: 'signature-refused',
    });
  }
}

/** Is it one that can be asked? @throws EngineError "invalid" in BuildKit's words. */
export function checkCacheSource(source: CacheSource): void {
  if (source.type === 'local') clientCacheOf(source);
  else referenceOf(source);
}

function referenceOf({ type, attributes }: CacheSource): Reference {
  const text = attributes['ref'] ?? attributes['name'] ?? '';
  if (text === '') throw new EngineError('invalid', `${type} cache importer requires ref`);
  return withDefaultTag(parseReference(text));
}

/** BuildKit calls such a cache by a number. */
function cacheId(digest: Digest): string {
  return String(BigInt(`0x${hexOf(digest).slice(0, 16)}`));
}

function clientCacheOf({ attributes: { src = '', digest = '' } }: CacheSource): {
  directory: string;
  digest: Digest;
} {
  if (digest === '') throw new EngineError('invalid', 'local cache importer requires explicit digest');
  if (src === '') throw new EngineError('invalid', 'local cache importer requires src');
  return { directory: src, digest: parseDigest(digest) };
}
