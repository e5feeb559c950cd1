import type { IdMap } from '../../sys/id-map.ts';
import type { SnapshotView } from '../snapshotter.ts';

/** Where a child finds its request, as JSON. */
export const requestFd = 3;

/**
 * What is to be read of a root file system. `tree`: all of it, as a tar, with `withRoot` the directory itself as its first member, with `idMap` its owners as those within see them; a snapshot with `laidOut` has what every container's root has. `layer`: a snapshot's written directory as the tar of a layer, whiteouts in the OCI's
 * form. `list`: the same directory, one `WrittenNode` per line of JSON.
 */
export type ReadRequest =
  | {
      form: 'tree';
      root: string | SnapshotView;
      laidOut?: boolean;
      withRoot?: boolean;
      idMap?: IdMap | undefined;
    }
  | {
      form: 'layer';
      root: string /** Paths to leave out, each with what is below. */;
      skip: readonly string[];
    }
  | { form: 'list'; root: string };

/** A node of a snapshot's written directory. Paths as `archive/path-bytes` has them. */
export interface WrittenNode {
  path: string;
  /** `whiteout`: a name of the layers below is gone. */
  type: 'directory' | 'other' | 'whiteout';
  /** A directory that hides what the layers below have in its place. */
  opaque: boolean;
  mode: number;
  uid: number;
  gid: number;
  mtimeSeconds: number;
  mtimeNanoseconds: number;
  size: number;
}
