import { randomUUID } from 'node:crypto';
import { EngineError, kindOf } from '../../errors/engine-error.ts';
import { chainIds } from '../../oci/chain-id.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { ChainId, Digest } from '../../oci/digest.ts';
import type { HistoryEntry, ImageConfig, ImageProcessConfig } from '../../oci/image-config.ts';
import { MAX_CONFIG_BYTES, parseImageConfig } from '../../oci/image-config.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from '../../oci/manifest.ts';
import { MEDIA_TYPES } from '../../oci/media-types.ts';
import type { Platform } from '../../oci/platform.ts';
import type { Reference } from '../../oci/reference.ts';
import type { Snapshotter } from '../../snapshots/snapshotter.ts';
import { type MakeLayerPorts, makeLayer } from '../layers/make-layer.ts';
import type { ImageStore, LayerBlob } from '../store/image-store.ts';
import type { Lease, LeaseStore } from '../store/lease-store.ts';
import { storeImage } from '../store/store-image.ts';

export interface CommitPorts extends MakeLayerPorts {
  store: ImageStore;
  leases: LeaseStore;
  snapshotter: Snapshotter;
}

export interface CommitRequest {
  /** What the container was made from; it need not be an image any more. */
  parent: { manifestDigest: Digest; configDigest: Digest; chainId: ChainId | undefined; platform: Platform };
  /** The tar of what it wrote; undefined: nothing, and no layer is added. */
  layer: ReadableStream<Uint8Array> | undefined;
  config: ImageProcessConfig;
  /** How history tells it: the container's command. */
  createdBy: string;
  /** Empty: the parent's. */
  author: string;
  comment: string;
  reference: Reference | undefined;
}

/** An image of a container: its image's layers, what it wrote on top, its configuration. Resolves to the new image's ID. */
export async function commitImage(
  request: CommitRequest,
  ports: CommitPorts,
  signal: AbortSignal,
): Promise<Digest> {
  const lease = ports.leases.take();
  try {
    const parent = await parentOf(request, { ports, lease, signal });
    const made =
      request.layer === undefined
        ? undefined
        : await makeLayer(request.layer, { ports, lease, parent: request.parent.chainId, signal });
    const image = committedConfig(request, parent.config, made?.layer);
    return await storeImage(image, {
      descriptors: [...parent.descriptors, ...(made === undefined ? [] : [made.descriptor])],
      layers: [...parent.remade, ...(made === undefined ? [] : [made.layer])],
      lease,
      reference: request.reference,
      ports,
    });
  } finally {
    await ports.gc.letGo(lease);
  }
}

function committedConfig(
  { author, comment, config, createdBy, parent }: CommitRequest,
  base: ImageConfig,
  layer: LayerBlob | undefined,
): ImageConfig {
  const created = new Date().toISOString();
  const signed = author === '' ? (base.author ?? '') : author;
  const entry: HistoryEntry = {
    created,
    createdBy,
    author: signed,
    comment,
    emptyLayer: layer === undefined,
  };
  return {
    platform: base.platform.architecture === '' ? parent.platform : base.platform,
    created,
    author: signed,
    config,
    diffIds: [...base.diffIds, ...(layer === undefined ? [] : [layer.diffId])],
    history: [...base.history, entry],
  };
}

interface Parent {
  config: ImageConfig;
  descriptors: Descriptor[];
  /** Layers whose blob was gone with the image, and is the plain tar now. */
  remade: LayerBlob[];
}

async function parentOf(
  { parent }: CommitRequest,
  { ports, lease, signal }: { ports: CommitPorts; lease: Lease; signal: AbortSignal },
): Promise<Parent> {
  const { content, gc } = ports;
  const bytes = await content.read(parent.manifestDigest, { maxBytes: MAX_MANIFEST_BYTES });
  const { layers } = parseManifest(bytes);
  const config = parseImageConfig(await content.read(parent.configDigest, { maxBytes: MAX_CONFIG_BYTES }));
  const chains = chainIds(config.diffIds);
  await lease.add({ blobs: layers.map(({ digest }) => digest), chains });
  await gc.settled();
  const found: Parent = { config, descriptors: [], remade: [] };
  for (const [at, layer] of layers.entries()) {
    signal.throwIfAborted();
    const chain = chains[at];
    if (chain === undefined)
      throw new EngineError('invalid', "layers from manifest don't match image configuration");
    if ((await content.size(layer.digest)) === layer.size) found.descriptors.push(layer);
    else await remake(chain, { found, ports, lease });
  }
  return found;
}

/** The image was removed by force, its layer is in use: the tar is there still. */
async function remake(
  chain: ChainId,
  { found, ports, lease }: { found: Parent; ports: CommitPorts; lease: Lease },
): Promise<void> {
  const info = await ports.snapshotter.layer(chain);
  if (info === undefined) throw new EngineError('not-found', `No such layer: ${chain}`);
  const blob = info.diffId as string as Digest;
  await lease.add({ blobs: [blob], chains: [] });
  await ports.gc.settled();
  if ((await ports.content.size(blob)) !== info.tarSize) await storeTar(chain, blob, ports);
  found.descriptors.push({ mediaType: MEDIA_TYPES.ociLayer, digest: blob, size: info.tarSize });
  const { diffId, tarSize } = info;
  found.remade.push({ diffId, blob, blobSize: tarSize, tarSize });
}

async function storeTar(
  chain: ChainId,
  digest: Digest,
  { content, snapshotter }: CommitPorts,
): Promise<void> {
  const ingest = await content.ingest(`layer-${randomUUID()}`, { ephemeral: true });
  try {
    for await (const chunk of await snapshotter.layerTar(chain)) await ingest.write(chunk);
    await ingest.commit({ digest });
  } catch (error) {
    await ingest.abort();
    if (kindOf(error) === 'invalid')
      throw new EngineError('internal', `Layer ${chain} is damaged`, {
        code: 'digest-mismatch',
        cause: error,
      });
    throw error;
  }
}
