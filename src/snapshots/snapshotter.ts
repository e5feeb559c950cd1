import type { Tree } from '../archive/tree.ts';
import type { ChainId, DiffId } from '../oci/digest.ts';
import type { IdMap } from '../sys/id-map.ts';
import type { ErofsMount } from '../sys/mount.ts';

/** Names a writable snapshot: a container's id, or a build step's. `[a-zA-Z0-9_.-]{1,128}`. */
export type SnapshotKey = string & { readonly __brand: 'SnapshotKey' };

export type SnapshotDriver = 'erofs' | 'overlay';

/**
 * Where a layer's uncompressed tar goes while it is downloaded. Plain data (`LayerStaging`) crosses threads; the sink itself is made in
 * the thread that has the bytes, by `openLayerSink` of `snapshots/layer-sink.ts`.
 */
export interface LayerStaging {
  driver: SnapshotDriver;
  /** Folder in the data root for this stage, made by `openLayerSink`, gone after commitLayer or discard. */
  directory: string;
}

export interface LayerSink {
  /** Feed the next bytes of the tar. Resolves when more may come. @throws EngineError "invalid" code archive-hostile. */
  write(chunk: Uint8Array): Promise<void>;
  /** The tar is complete. @throws EngineError "invalid" code archive-truncated. */
  finish(): Promise<StagedLayer>;
  /** Stop, remove what was written. Safe after a failed write or finish. */
  abort(): Promise<void>;
}

export interface SinkOptions {
  /** A file that holds the very bytes which will be written, synced, and never to change: its blocks are shared instead of written again. */
  tarFile?: string;
}

/** A layer whose bytes are on disk but whose place in a chain is not yet known. Plain data. */
export interface StagedLayer {
  staging: LayerStaging;
  diffId: DiffId;
  /** Size of the uncompressed tar, bytes. */
  tarSize: number;
}

export interface LayerInfo {
  chainId: ChainId;
  parent: ChainId | undefined;
  diffId: DiffId;
  /** Uncompressed tar size, bytes: what `docker history` and `image ls` add up. */
  tarSize: number;
}

/** Where one committed layer lies, to be read in any thread (`openLayer`). Plain data; good for as long as something holds its chain. */
export type LayerPlace = {
  /** The layer hides all below it. */
  opaqueRoot: boolean;
} & (
  | {
      driver: 'erofs';
      index: string;
      /** Data devices in their order: files. */
      data: string[];
    }
  | { driver: 'overlay'; directory: string }
);

/** What another mount namespace has to mount to see a snapshot as it is, read-only. Plain data. */
export interface SnapshotView {
  /** To be mounted first, those that aren't there. */
  layers: ErofsMount[];
  /** The overlay's, topmost first; the snapshot's own directory among them. */
  lowers: string[];
  /** An empty directory, free to be mounted on there. */
  target: string;
}

export interface PrepareOptions {
  signal: AbortSignal;
  /** The most that the snapshot's own files may take on disk; what is written beyond it fails with EDQUOT. undefined: no limit. */
  sizeBytes?: number | undefined;
}

export interface MountOptions {
  readonly?: boolean;
  volatile?: boolean;
  /** Show all with the ids that the container's have on the host; what is written is kept with the container's own. */
  idMap?: IdMap | undefined;
}

/**
 * Turns layers into file systems: committed layers keyed by ChainId, immutable, and writable snapshots on top of them.
 *
 * A layer is staged (in any thread), then committed onto its parent; a chain exists whole or not at all, and survives a crash. Writable
 * snapshots are prepared, mounted, unmounted and removed by key. All mounts live in the caller's mount namespace and are found again
 * after a restart of the process (`recover`).
 */
export interface Snapshotter {
  readonly driver: SnapshotDriver;

  /** A new staging place. Nothing is on disk until a sink is opened for it. */
  stage(): LayerStaging;
  /**
   * Put a staged layer on top of `parent`. Idempotent: a chain that exists is kept and the stage removed.
   *
   * @throws EngineError "not-found" if `parent` does not exist.
   */
  commitLayer(
    staged: StagedLayer,
    parent: ChainId | undefined,
    options: { signal: AbortSignal },
  ): Promise<LayerInfo>;
  /** Remove what a stage left; absent is fine. */
  discard(staging: LayerStaging): Promise<void>;
  /** undefined where the chain is absent. */
  layer(chainId: ChainId): Promise<LayerInfo | undefined>;
  layers(): Promise<LayerInfo[]>;
  /** The layer's tar, byte for byte as it was hashed. @throws EngineError "not-found". */
  layerTar(chainId: ChainId): Promise<ReadableStream<Uint8Array>>;
  /**
   * Remove one committed layer.
   *
   * @throws EngineError "conflict" while a child layer, a snapshot or a mount uses it.
   */
  removeLayer(chainId: ChainId): Promise<void>;
  /** What stands at a path of the stack `chainId`, without mounting. @throws EngineError "not-found". */
  tree(chainId: ChainId): Promise<Tree>;
  /** All layers of the chain, lowest first, each by itself. @throws EngineError "not-found". */
  places(chainId: ChainId): Promise<LayerPlace[]>;

  /**
   * Make a writable snapshot on top of `parent` (undefined: an empty root). Durable when it resolves; an aborted call leaves nothing.
   *
   * @throws EngineError "conflict" if `key` exists, "not-found" if `parent` does not, "invalid" for a size where the file system keeps to none.
   */
  prepare(key: SnapshotKey, parent: ChainId | undefined, options: PrepareOptions): Promise<void>;
  /**
   * Mount the snapshot on the existing directory `target`; the shared lower mounts are made when they are not there. Mounting a
   * key that is mounted on `target` already does nothing.
   *
   * `volatile` leaves out every sync of what is written: for a container that is removed when it ends. Its unmount need not wait for
   * the disk.
   *
   * With `idMap` only the ids of it can own what is made: the host's root gives what it makes there to the container's itself.
   *
   * @throws EngineError "not-found" if `key` does not exist; "internal" code syscall-failed, with everything unwound.
   */
  mount(key: SnapshotKey, target: string, options?: MountOptions): Promise<void>;
  /** Unmount; lower mounts that nobody uses any more may stay for the next start and go with `removeLayer` or `close`. */
  unmount(key: SnapshotKey, target: string): Promise<void>;
  /** Remove a snapshot and its written files. @throws EngineError "conflict" while it is mounted. Absent is fine. */
  remove(key: SnapshotKey): Promise<void>;
  snapshots(): Promise<SnapshotKey[]>;
  /** Directory that holds what was written (overlay upper: whiteouts are 0/0 devices). @throws EngineError "not-found". */
  upperDirectory(key: SnapshotKey): Promise<string>;
  /** For a process in a mount namespace of its own; nothing is mounted here. @throws EngineError "not-found". */
  view(key: SnapshotKey): Promise<SnapshotView>;
  /** Bytes in the files and links that were written, holes included, without what `layOutRoot` makes. */
  usage(key: SnapshotKey): Promise<number>;

  /**
   * After a restart: adopt the mounts that are there, finish or undo what a crash cut short, remove stages older than this boot
   * and snapshots whose key is not in `keep`.
   */
  recover(keep: ReadonlySet<SnapshotKey>): Promise<void>;
  /** Unmount the shared lower mounts that no snapshot uses. */
  close(): Promise<void>;
}
