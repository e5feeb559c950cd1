import { join } from 'node:path';
import type { ChainId } from '../../oci/digest.ts';
import { hexOf } from '../../oci/digest.ts';
import type { SnapshotKey } from '../snapshotter.ts';

/** Files of a stage, and of the layer that it becomes by one rename. */
export interface StageFiles {
  tar: string;
  fs: string;
  /** The unpacker's report: an UnpackReport in JSON. */
  report: string;
  /** A LayerRecord in JSON; a layer has it, a stage not yet. */
  record: string;
}

export function stageFiles(directory: string): StageFiles {
  return {
    tar: join(directory, 'tar'),
    fs: join(directory, 'fs'),
    report: join(directory, 'unpack.json'),
    record: join(directory, 'layer.json'),
  };
}

/**
 * `staging/<random>`: layers and snapshots on their way in; `removing/<random>`: on their way out; `layers/<chain>` and
 * `snapshots/<key>`: whole ones. What moves between them does so by one rename.
 */
export class OverlayLayout {
  readonly root: string;
  readonly staging: string;
  readonly removing: string;
  readonly layers: string;
  readonly snapshots: string;
  /** What an overlay without layers has below it. */
  readonly empty: string;

  constructor(root: string) {
    this.root = root;
    this.staging = join(root, 'staging');
    this.removing = join(root, 'removing');
    this.layers = join(root, 'layers');
    this.snapshots = join(root, 'snapshots');
    this.empty = join(root, 'empty');
  }

  layer(chainId: ChainId): string {
    return join(this.layers, hexOf(chainId));
  }

  snapshot(key: SnapshotKey): SnapshotFiles {
    return snapshotFiles(join(this.snapshots, key));
  }
}

export interface SnapshotFiles {
  directory: string;
  upper: string;
  work: string;
  /** A symlink whose text is the ChainId that the snapshot lies on; absent for one that lies on nothing. */
  parent: string;
}

export function snapshotFiles(directory: string): SnapshotFiles {
  return {
    directory,
    upper: join(directory, 'upper'),
    work: join(directory, 'work'),
    parent: join(directory, 'parent'),
  };
}
