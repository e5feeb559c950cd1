import type { ContentStore } from '../../content/content-store.ts';
import type { MadeLayer } from '../../images/layers/make-layer.ts';
import type { ImageGc } from '../../images/store/gc.ts';
import type { Lease } from '../../images/store/lease-store.ts';
import { chainIdOn } from '../../oci/chain-id.ts';
import type { ChainId, Digest } from '../../oci/digest.ts';
import { MEDIA_TYPES } from '../../oci/media-types.ts';
import type { LayerPlace, LayerStaging, SnapshotKey, Snapshotter } from '../../snapshots/snapshotter.ts';
import type { FileAction } from './file-action.ts';
import type { FileProgress, FileRunner, LayerCompression, LayerOutcome } from './file-job.ts';

export interface FileLayerPorts {
  content: ContentStore;
  snapshotter: Snapshotter;
  gc: Pick<ImageGc, 'exclusively'>;
  files: FileRunner;
}

export interface FileLayerOptions {
  ports: FileLayerPorts;
  /** Comes to hold blob and chain. */
  lease: Pick<Lease, 'add'>;
  parent: ChainId | undefined;
  compression: LayerCompression;
  signal: AbortSignal;
  progress?: (progress: FileProgress) => void;
}

/**
 * The layer of a COPY, ADD or WORKDIR on top of `parent`, committed there; one without changes is an empty layer, as BuildKit's. A failure leaves nothing.
 *
 * `created`: time of directories that are made because they were missing, seconds since 1970. `digest`: of the actions, where their sources must still have it. `link`: `--link`: what `parent` has at the destination plays no part.
 */
export async function makeFileLayer(
  actions: readonly FileAction[],
  options: FileLayerOptions & { created: number; link?: boolean; digest?: Digest | undefined },
): Promise<MadeLayer> {
  const users = await placesOf(options);
  const parent = options.link === true ? [] : users;
  return await commitStage(options, (staging) => {
    const { created, compression, digest } = options;
    return options.ports.files.copy(
      { staging, parent, users, actions, digest, created, compression },
      runOptions(options),
    );
  });
}

/** The layer of what was written to the snapshot `key`, whose parent is `parent`. `skip`: paths, relative, that are none of the layer's. */
export async function makeRunLayer(
  key: SnapshotKey,
  options: FileLayerOptions & { skip: readonly string[] },
): Promise<MadeLayer> {
  const { compression, ports, skip } = options;
  const [parent, upper] = await Promise.all([placesOf(options), ports.snapshotter.upperDirectory(key)]);
  return await commitStage(options, (staging) =>
    ports.files.upper({ staging, parent, upper, skip, compression }, runOptions(options)),
  );
}

/** The layer in the file `source` with no time later than `latest`, on top of `parent`. */
export async function makeRedatedLayer(
  source: string,
  options: FileLayerOptions & { latest: number },
): Promise<MadeLayer> {
  const { latest, compression, ports } = options;
  return await commitStage(options, (staging) =>
    ports.files.redate({ staging, source, latest, compression }, runOptions(options)),
  );
}

async function placesOf({ ports, parent }: FileLayerOptions): Promise<readonly LayerPlace[]> {
  return parent === undefined ? [] : await ports.snapshotter.places(parent);
}

function runOptions({ signal, progress }: FileLayerOptions) {
  return progress === undefined ? { signal } : { signal, progress };
}

async function commitStage(
  options: FileLayerOptions,
  stage: (staging: LayerStaging) => Promise<LayerOutcome>,
): Promise<MadeLayer> {
  const { ports, lease, parent, signal } = options;
  const { snapshotter, content, gc } = ports;
  const staging = snapshotter.stage();
  try {
    const { staged, blob } = await stage(staging);
    await gc.exclusively(async () => {
      await lease.add({ blobs: [blob.digest], chains: [chainIdOn(parent, staged.diffId)] });
      await content.adopt(blob.file, blob.digest);
    });
    await snapshotter.commitLayer(staged, parent, { signal });
    return madeLayer({ staged, blob });
  } catch (error) {
    await snapshotter.discard(staging);
    signal.throwIfAborted();
    throw error;
  }
}

function madeLayer({ staged, blob }: LayerOutcome): MadeLayer {
  const { diffId, tarSize } = staged;
  const { digest, size, compression } = blob;
  const mediaType = compression === 'gzip' ? MEDIA_TYPES.ociLayerGzip : MEDIA_TYPES.ociLayer;
  return {
    layer: { diffId, blob: digest, blobSize: size, tarSize },
    descriptor: { mediaType, digest, size },
  };
}
