import { randomUUID } from 'node:crypto';
import { decompressDetected } from '../../archive/compression.ts';
import type { ContentStore } from '../../content/content-store.ts';
import { chainIdOn } from '../../oci/chain-id.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { ChainId, DiffId } from '../../oci/digest.ts';
import { MEDIA_TYPES } from '../../oci/media-types.ts';
import type { ImageGc } from '../store/gc.ts';
import type { LayerBlob } from '../store/image-store.ts';
import type { Lease } from '../store/lease-store.ts';
import type { RegistryAccess } from '../transfer/pull-image.ts';
import { abortable } from './abortable.ts';
import type { LayerFetches } from './layer-fetches.ts';

export interface MakeLayerPorts {
  content: ContentStore & { readonly root: string };
  fetches: LayerFetches;
  gc: ImageGc;
  registry: RegistryAccess;
}

export interface MakeLayerOptions {
  ports: MakeLayerPorts;
  /** Comes to hold blob and chain. */
  lease: Lease;
  parent: ChainId | undefined;
  signal: AbortSignal;
}

/** A layer that was made here, in its place and as the blob that a save sends; a push compresses it. */
export interface MadeLayer {
  layer: LayerBlob;
  descriptor: Descriptor;
}

/** Make a layer of a tar (compressed or not) on top of `parent`. What a failure leaves is held by the lease alone. */
export async function makeLayer(
  source: ReadableStream<Uint8Array>,
  options: MakeLayerOptions,
): Promise<MadeLayer> {
  const { ports, parent, lease, signal } = options;
  const descriptor = await storeTar(source, options);
  // What isn't compressed is known by one digest, as blob and as layer.
  const diffId = descriptor.digest as string as DiffId;
  const chainId = chainIdOn(parent, diffId);
  await lease.add({ blobs: [], chains: [chainId] });
  await ports.gc.settled();
  const fetch = {
    job: {
      contentRoot: ports.content.root,
      registry: ports.registry.config(),
      origin: undefined,
      descriptor,
      diffId,
    },
    chainId,
    parent,
  };
  const { tarSize } =
    (await ports.fetches.present(fetch)) ??
    (await ports.fetches.fetch(fetch, { signal, progress: () => undefined }));
  return { layer: { diffId, blob: descriptor.digest, blobSize: descriptor.size, tarSize }, descriptor };
}

/** The tar as a blob of the content store. Its digest is known when all is there: no collection comes between that and the lease. */
async function storeTar(
  source: ReadableStream<Uint8Array>,
  { ports, signal, lease }: MakeLayerOptions,
): Promise<Descriptor> {
  const ingest = await ports.content.ingest(`layer-${randomUUID()}`, { ephemeral: true });
  try {
    const { stream } = await decompressDetected(abortable(source, signal));
    for await (const chunk of stream) {
      signal.throwIfAborted();
      await ingest.write(chunk);
    }
    const { digest, size } = await ports.gc.exclusively(async () => {
      const published = await ingest.commit();
      await lease.add({ blobs: [published.digest], chains: [] });
      return published;
    });
    return { mediaType: MEDIA_TYPES.ociLayer, digest, size };
  } catch (error) {
    await ingest.abort();
    signal.throwIfAborted();
    throw error;
  }
}
