import type { ContentStore } from '../../content/content-store.ts';
import type { ImageGc } from '../../images/gc.ts';
import type { Lease } from '../../images/lease-store.ts';
import type { MadeLayer } from '../../images/make-layer.ts';
import type { ChainId } from '../../oci/digest.ts';
import type { SnapshotKey, Snapshotter } from '../../snapshots/snapshotter.ts';
import type { FileAction } from './file-action.ts';
import type { FileProgress, FileRunner, LayerClock, LayerCompression } from './file-job.ts';

export interface FileLayerPorts {
  content: ContentStore & { readonly root: string };
  snapshotter: Snapshotter;
  gc: ImageGc;
  files: FileRunner;
}

export interface FileLayerOptions {
  ports: FileLayerPorts;
  /** Comes to hold blob and chain. */
  lease: Lease;
  parent: ChainId | undefined;
  clock: LayerClock;
  compression: LayerCompression;
  signal: AbortSignal;
  progress?: (progress: FileProgress) => void;
}

/**
 * The layer of a COPY, ADD or WORKDIR on top of `parent`, committed there; one without changes is an empty layer, as BuildKit's. A failure leaves nothing.
 *
 * `link`: `--link`: what `parent` has at the destination plays no part.
 */
export declare function makeFileLayer(
  actions: readonly FileAction[],
  options: FileLayerOptions & { link?: boolean },
): Promise<MadeLayer>;

/** The layer of what was written to the snapshot `key`, whose parent is `parent`. `skip`: paths, relative, that are none of the layer's. */
export declare function makeRunLayer(
  key: SnapshotKey,
  options: FileLayerOptions & { skip: readonly string[] },
): Promise<MadeLayer>;
