import { randomUUID } from 'node:crypto';
import { decompressDetected } from '../archive/compression.ts';
import { GzipMembers } from '../archive/gzip-members.ts';
import type { ContentStore } from '../content/content-store.ts';
import { chainIdOn } from '../oci/chain-id.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { ChainId } from '../oci/digest.ts';
import { MEDIA_TYPES } from '../oci/media-types.ts';
import type { LayerSink, LayerStaging, Snapshotter, StagedLayer } from '../snapshots/snapshotter.ts';
import { abortable } from './abortable.ts';
import type { ImageGc } from './gc.ts';
import type { LayerBlob } from './image-store.ts';
import type { Lease } from './lease-store.ts';

export interface MakeLayerPorts {
  content: ContentStore;
  snapshotter: Snapshotter;
  gc: ImageGc;
  openSink: (staging: LayerStaging) => Promise<LayerSink>;
}

export interface MakeLayerOptions {
  ports: MakeLayerPorts;
  /** Comes to hold blob and chain. */
  lease: Lease;
  parent: ChainId | undefined;
  signal: AbortSignal;
}

/** A layer that was made here, in its place and as the blob that a push or save sends. */
export interface MadeLayer {
  layer: LayerBlob;
  descriptor: Descriptor;
}

/** Make a layer of a tar (compressed or not) on top of `parent`. A failure leaves nothing. */
export async function makeLayer(
  source: ReadableStream<Uint8Array>,
  options: MakeLayerOptions,
): Promise<MadeLayer> {
  const { ports, parent, signal } = options;
  const staging = ports.snapshotter.stage();
  try {
    const { staged, descriptor } = await stageTar(source, staging, options);
    await ports.snapshotter.commitLayer(staged, parent, { signal });
    const { diffId, tarSize } = staged;
    const { digest: blob, size: blobSize } = descriptor;
    return { layer: { diffId, blob, blobSize, tarSize }, descriptor };
  } catch (error) {
    await ports.snapshotter.discard(staging);
    throw error;
  }
}

/** The tar goes to the snapshotter as it is, and compressed to the content store: what a push or save will send. */
async function stageTar(
  source: ReadableStream<Uint8Array>,
  staging: LayerStaging,
  { ports, parent, signal, lease }: MakeLayerOptions,
): Promise<{ staged: StagedLayer; descriptor: Descriptor }> {
  const ingest = await ports.content.ingest(`layer-${randomUUID()}`, { ephemeral: true });
  const sink = await ports.openSink(staging).catch(async (error: unknown) => {
    await ingest.abort();
    throw error;
  });
  const gzip = new GzipMembers((member) => ingest.write(member));
  try {
    const { stream } = await decompressDetected(abortable(source, signal));
    for await (const chunk of stream) {
      signal.throwIfAborted();
      await Promise.all([sink.write(chunk), gzip.write(chunk)]);
    }
    await gzip.finish();
    const staged = await sink.finish();
    const { digest, size } = await ports.gc.exclusively(async () => {
      const published = await ingest.commit();
      await lease.add({ blobs: [published.digest], chains: [chainIdOn(parent, staged.diffId)] });
      return published;
    });
    return { staged, descriptor: { mediaType: MEDIA_TYPES.ociLayerGzip, digest, size } };
  } catch (error) {
    await Promise.all([sink.abort(), ingest.abort()]);
    signal.throwIfAborted();
    throw error;
  }
}
