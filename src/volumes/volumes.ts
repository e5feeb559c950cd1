import type { Statement } from '../storage/state-db.ts';

/** A folder with a life of its own, mounted into containers. Plain data. */
export interface Volume {
  /** 64 hex digits where nobody gave it a name. */
  name: string;
  /** Folder with its content, on the host. */
  path: string;
  createdNano: bigint;
  /** Made for one container, without a name of a user's. */
  anonymous: boolean;
}

/**
 * Volumes of this engine. A volume's row is what makes it one: it is written and removed in the transaction of whoever makes or removes it with
 * something else, so that neither is ever without the other; a folder without a row goes at the next start.
 */
export interface Volumes {
  /** Folder of the content of a volume of that name. */
  path(name: string): string;
  /** A folder for a new volume without a name, empty, root's alone to change. It is nobody's until its rows are written. */
  prepareAnonymous(): Promise<Volume>;
  /** The rows that make these volumes be there. */
  insertions(volumes: readonly Volume[]): Statement[];
  /** The rows' removal; the folders' is `discard`. */
  removals(names: readonly string[]): Statement[];
  /** All that there are, in order of their names. */
  list(): Promise<Volume[]>;
  get(name: string): Promise<Volume | undefined>;
  /** Bytes on disk of a volume's content. */
  usage(name: string): Promise<number>;
  /** The row, then the folder. Absent is fine. */
  remove(name: string): Promise<void>;
  /** Remove the folders of volumes that have no row (any more). Absent is fine. */
  discard(names: readonly string[]): Promise<void>;
  /** At start: remove folders that no row speaks of. */
  recover(): Promise<void>;
}
