import type { Compression } from '../../archive/compression.ts';
import type { SnapshotView } from '../../snapshots/snapshotter.ts';
import type { IdMap } from '../../sys/id-map.ts';

/** Something of the host that the container has in its tree. */
export interface ViewMount {
  source: string;
  /** What of it is mounted; absent: all. */
  subpath?: string | undefined;
  /** Absolute, in the container. */
  destination: string;
  readonly: boolean;
}

/** A container's tree, as it is put together in a mount namespace of its own. Plain data. */
export interface ArchiveView {
  /** A mounted root, or what has to be mounted to see a stopped container's; writes to that are lost. */
  root: string | SnapshotView;
  mounts: ViewMount[];
  /** Where its ids are not the host's: what is mounted has the host's, the root only where it is mounted for the container. */
  ids?: { map: IdMap; root: boolean };
  /** Kept in memory as long as the container runs, and taken from its own mount namespace. */
  memory?: { places: string[]; process: { pid: number; startTicks: number } };
}

interface Request {
  view: ArchiveView;
  /** What to say where nothing is. */
  missing: string;
}

/** `path` is absolute, cleaned but for a slash or `/.` at its end. */
export interface StatRequest extends Request {
  form: 'stat';
  path: string;
}

export interface ReadPathRequest extends Request {
  form: 'read';
  path: string;
}

export interface MatchRequest extends Request {
  form: 'match';
  pattern: string;
}

export interface WriteRequest extends Request {
  form: 'write';
  path: string;
  compression: Exclude<Compression, 'bzip2' | 'xz'>;
  /** Refuse a directory in the place of a file, and the other way round. */
  keepKinds: boolean;
  /** `user[:group]` that gets everything; undefined: who the archive says. */
  owner: string | undefined;
  readonlyRoot: boolean;
}

/** What a child has to do. Plain data. */
export type ArchiveRequest = StatRequest | ReadPathRequest | MatchRequest | WriteRequest;

/** More would make no command line either. */
export const maxMatches = 10_000;
