import type { ContentStore } from '../../content/content-store.ts';
import type { LayerFetches } from '../../images/layers/layer-fetches.ts';
import type { LayerOrigin } from '../../images/layers/layer-job.ts';
import type { Lease } from '../../images/store/lease-store.ts';
import type { RegistryAccess } from '../../images/transfer/pull-image.ts';
import { chainIdOn } from '../../oci/chain-id.ts';
import type { ChainId } from '../../oci/digest.ts';
import type { BuiltLayer } from './cache-record.ts';

export interface PlaceLayerPorts {
  content: ContentStore & { readonly root: string };
  registry: Pick<RegistryAccess, 'config'>;
  fetches: LayerFetches;
}

export interface PlaceLayerOptions {
  ports: PlaceLayerPorts;
  /** Comes to hold blob and chain, before anything is done. */
  lease: Pick<Lease, 'add'>;
  /** Where the blob is had when it isn't here; undefined: nowhere. */
  origin?: LayerOrigin | undefined;
  /** Brings the blob here by another way than `origin`. */
  receive?: (() => Promise<void>) | undefined;
  signal: AbortSignal;
}

/** A layer that was made elsewhere, or on something else, on top of `parent`. @throws as `LayerFetches.fetch`, and `receive`. */
export async function placeLayer(
  { descriptor, diffId, createdNano }: Omit<BuiltLayer, 'chainId' | 'tarSize'>,
  parent: ChainId | undefined,
  { ports, lease, origin, receive, signal }: PlaceLayerOptions,
): Promise<BuiltLayer> {
  const { content, registry, fetches } = ports;
  const chainId = chainIdOn(parent, diffId);
  await lease.add({ blobs: [descriptor.digest], chains: [chainId] });
  const job = { contentRoot: content.root, registry: registry.config(), origin, descriptor, diffId };
  const wanted = { job, chainId, parent };
  const here = await fetches.present(wanted);
  if (here !== undefined) return { chainId, diffId, descriptor, tarSize: here.tarSize, createdNano };
  await receive?.();
  const { tarSize } = await fetches.fetch(wanted, { signal, progress: () => undefined });
  return { chainId, diffId, descriptor, tarSize, createdNano };
}
