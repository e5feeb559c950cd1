import type { ChangeKind, EntryType } from './image-layers.ts';
import type { Int64 } from './int64.ts';

/**
 * Answer of `GET /images/{name}/diff?to={other}`: how the file system of `other` differs from that of `name`, from the indexes,
 * without mounting anything. Sampan's own.
 *
 * Query: `platform` as JSON, for both. 404 as for inspect, for either.
 */
export interface ImageDiff {
  /** IDs of the two. */
  From: string;
  To: string;
  /** By path. */
  Changes: FileChange[];
}

export interface FileChange {
  /** As in a `LayerEntry`. */
  Path: string;
  /** `modified`: content, type, mode, owner, link target or extended attributes differ. */
  Kind: ChangeKind;
  /** In `To`; in `From` for one that is removed. */
  Type: EntryType;
  /** Bytes of a file; 0 where there is none. */
  FromSize: Int64;
  ToSize: Int64;
}
