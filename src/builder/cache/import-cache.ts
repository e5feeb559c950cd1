import type { ContentStore } from '../../content/content-store.ts';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { ImageStore } from '../../images/image-store.ts';
import type { LayerFetches } from '../../images/layer-fetches.ts';
import type { Lease } from '../../images/lease-store.ts';
import type { RegistryAccess } from '../../images/pull-image.ts';
import { ruleFor, type SignaturePolicy } from '../../images/signature-policy.ts';
import { chainIdOn } from '../../oci/chain-id.ts';
import type { ChainId } from '../../oci/digest.ts';
import type { Platform } from '../../oci/platform.ts';
import { canonicalName, parseReference, type Reference, withDefaultTag } from '../../oci/reference.ts';
import type { BuildWatcher } from '../build-progress.ts';
import type { CacheSource } from '../build-request.ts';
import type { BuildSession } from '../build-session.ts';
import { watched } from '../solver/build-progress-teller.ts';
import type { BuiltLayer } from '../solver/cache-record.ts';
import type { CachedLayer } from './cache-config.ts';
import { type LoadedCache, loadCaches } from './load-cache.ts';

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

/** Results of builds elsewhere (`--cache-from`), by this builder's keys. A layer is brought here when a step wants it. */
export class ImportedCache {
  readonly #ports: ImportCachePorts;
  readonly #found = new Map<string, Found[]>();

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
    for (const { layer, origin } of this.#found.get(key) ?? []) {
      const { descriptor, diffId, createdNano } = layer;
      const chainId = chainIdOn(parent, diffId);
      const { content, registry, fetches } = this.#ports;
      await lease.add({ blobs: [descriptor.digest], chains: [chainId] });
      try {
        const job = { contentRoot: content.root, registry: registry.config(), origin, descriptor, diffId };
        const wanted = { job, chainId, parent };
        const { tarSize } =
          (await fetches.present(wanted)) ??
          (await fetches.fetch(wanted, { signal, progress: () => undefined }));
        return { chainId, diffId, descriptor, tarSize, createdNano };
      } catch {
        signal.throwIfAborted();
        // Gone there, or damaged: the step is done instead.
      }
    }
    return undefined;
  }

  async #add(source: CacheSource, options: ImportCacheOptions): Promise<void> {
    const { session, watch, signal, platforms } = options;
    const reference = referenceOf(source);
    const name = canonicalName(reference);
    try {
      await watched(watch, `importing cache manifest from ${name}`, async () => {
        await this.#refuseUnsigned(reference);
        const credentials = await session.credentials(reference.domain, { signal });
        const request = { signal, credentials, tlsVerify: undefined };
        for (const { config, origin } of await loadCaches(reference, this.#ports, { request, platforms }))
          for (const { key, layer } of config.results) {
            const found = config.layers[layer];
            if (found === undefined) continue;
            this.#found.set(key, [...(this.#found.get(key) ?? []), { layer: found, origin }]);
          }
      });
    } catch (error) {
      signal.throwIfAborted();
      const short = `failed to import the cache of ${name}: ${messageOf(error)}`;
      watch({ type: 'warning', warning: { vertex: undefined, level: 1, short, detail: [], url: '' } });
    }
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

/** @throws EngineError "invalid", "not-implemented". */
export function referenceOf({ type, attributes }: CacheSource): Reference {
  if (type === 'local')
    throw new EngineError(
      'not-implemented',
      'cache of type local is not implemented; registry and inline are',
    );
  const text = attributes['ref'] ?? attributes['name'] ?? '';
  if (text === '') throw new EngineError('invalid', `${type} cache importer requires ref`);
  return withDefaultTag(parseReference(text));
}
