import type { Statement } from '../storage/state-db.ts';

/** A folder with a life of its own, mounted into containers. Plain data. */
export interface Volume {
  /** 64 hex digits where nobody gave it a name. */
  name: string;
  /** Folder with its content, on the host. */
  path: string;
  createdNano: bigint;
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
  /** Remove the folders of volumes that have no row (any more). Absent is fine. */
  discard(names: readonly string[]): Promise<void>;
  /** At start: remove folders that no row speaks of. */
  recover(): Promise<void>;
}
