import { createHash, randomUUID } from 'node:crypto';
import { decompressDetected } from '../archive/compression.ts';
import type { ContentStore } from '../content/content-store.ts';
import { EngineError } from '../errors/engine-error.ts';
import { chainIds } from '../oci/chain-id.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { ImageConfig } from '../oci/image-config.ts';
import { MEDIA_TYPES } from '../oci/media-types.ts';
import { hostPlatform, type Platform } from '../oci/platform.ts';
import { canonicalName, type Reference, withDefaultTag } from '../oci/reference.ts';
import { renderImageConfig } from '../oci/render-image-config.ts';
import type { LayerSink, LayerStaging, Snapshotter, StagedLayer } from '../snapshots/snapshotter.ts';
import { abortable } from './abortable.ts';
import type { ImageGc } from './gc.ts';
import { joinImageManifest } from './image-record.ts';
import type { ImageStore } from './image-store.ts';
import { applyChanges, emptyProcessConfig } from './import-changes.ts';
import type { Lease, LeaseStore } from './lease-store.ts';

export interface ImportPorts {
  content: ContentStore;
  snapshotter: Snapshotter;
  store: ImageStore;
  leases: LeaseStore;
  gc: ImageGc;
  openSink: (staging: LayerStaging) => Promise<LayerSink>;
}

export interface ImportOptions {
  reference: Reference | undefined;
  message: string;
  changes: string[];
  platform: Platform | undefined;
  signal: AbortSignal;
}

/** One layer from a root file system tar (compressed or not), one manifest, one tag. Resolves to the image's ID. */
export async function importImage(
  source: ReadableStream<Uint8Array>,
  options: ImportOptions,
  ports: ImportPorts,
): Promise<Digest> {
  const config = applyChanges(emptyProcessConfig(), options.changes);
  const platform = options.platform ?? hostPlatform();
  if (platform.os !== 'linux')
    throw new EngineError('invalid', `operating system ${JSON.stringify(platform.os)} is not supported`);
  const lease = ports.leases.take();
  try {
    const { staged, blob } = await importLayer(source, { options, ports, lease });
    const created = new Date().toISOString();
    const history = {
      created,
      createdBy: '',
      author: '',
      comment: options.message,
      emptyLayer: false,
    };
    const image: ImageConfig = {
      platform,
      created,
      author: undefined,
      config,
      diffIds: [staged.diffId],
      history: [history],
    };
    return await storeImage(image, { staged, blob, lease, reference: options.reference, ports });
  } finally {
    await lease.release();
  }
}

interface LayerContext {
  options: ImportOptions;
  ports: ImportPorts;
  lease: Lease;
}

async function importLayer(
  source: ReadableStream<Uint8Array>,
  { options, ports, lease }: LayerContext,
): Promise<{ staged: StagedLayer; blob: Descriptor }> {
  const staging = ports.snapshotter.stage();
  try {
    const { staged, blob } = await stageTar(source, staging, { options, ports, lease });
    await ports.snapshotter.commitLayer(staged, undefined, { signal: options.signal });
    return { staged, blob };
  } catch (error) {
    await ports.snapshotter.discard(staging);
    throw error;
  }
}

/** The tar goes to the snapshotter as it is, and compressed to the content store: what a push or save will send. */
async function stageTar(
  source: ReadableStream<Uint8Array>,
  staging: LayerStaging,
  { options, ports, lease }: LayerContext,
): Promise<{ staged: StagedLayer; blob: Descriptor }> {
  const ingest = await ports.content.ingest(`import-${randomUUID()}`);
  const sink = await ports.openSink(staging).catch(async (error: unknown) => {
    await ingest.abort();
    throw error;
  });
  const gzip = new CompressionStream('gzip');
  const input = gzip.writable.getWriter();
  const stored = drain(gzip.readable, (chunk) => ingest.write(chunk));
  stored.catch(() => undefined);
  try {
    const { stream } = await decompressDetected(abortable(source, options.signal));
    for await (const chunk of stream) {
      options.signal.throwIfAborted();
      await Promise.all([sink.write(chunk), input.write(chunk as Uint8Array<ArrayBuffer>)]);
    }
    await Promise.all([input.close(), stored]);
    const staged = await sink.finish();
    const { digest, size } = await ports.gc.exclusively(async () => {
      const published = await ingest.commit();
      await lease.add({ blobs: [published.digest], chains: chainIds([staged.diffId]) });
      return published;
    });
    return { staged, blob: { mediaType: MEDIA_TYPES.ociLayerGzip, digest, size } };
  } catch (error) {
    await input.abort(error).catch(() => undefined);
    await stored.catch(() => undefined);
    await Promise.all([sink.abort(), ingest.abort()]);
    options.signal.throwIfAborted();
    throw error;
  }
}

async function drain(
  stream: ReadableStream<Uint8Array>,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  for await (const chunk of stream) await write(chunk);
}

interface Parts {
  staged: StagedLayer;
  blob: Descriptor;
  lease: Lease;
  reference: Reference | undefined;
  ports: ImportPorts;
}

async function storeImage(image: ImageConfig, parts: Parts): Promise<Digest> {
  const { ports, staged, blob, lease } = parts;
  const configBytes = renderImageConfig(image);
  const config = digestOf(configBytes);
  const manifestBytes = new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: { mediaType: MEDIA_TYPES.ociConfig, digest: config, size: configBytes.length },
      layers: [{ mediaType: blob.mediaType, digest: blob.digest, size: blob.size }],
    }),
  );
  const digest = digestOf(manifestBytes);
  await lease.add({ blobs: [config, digest], chains: [] });
  await Promise.all([ports.content.write(configBytes), ports.content.write(manifestBytes)]);
  const stored = { digest, mediaType: MEDIA_TYPES.ociManifest, size: manifestBytes.length };
  await ports.store.add({
    image: stored,
    manifests: [joinImageManifest(stored, manifestBytes, configBytes)],
    layers: [{ diffId: staged.diffId, blob: blob.digest, blobSize: blob.size, tarSize: staged.tarSize }],
    tags: parts.reference === undefined ? [] : [canonicalName(withDefaultTag(parts.reference))],
  });
  return digest;
}

function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}
