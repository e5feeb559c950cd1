import type { FileType, NodeAttributes } from '../archive/tree.ts';

/**
 * A node of one layer by itself, whiteouts and opaque directories included, read without a mount. Synchronous: for a thread that may wait for
 * the disk.
 */
export interface LayerNode {
  /** Two names of equal keys are one node. */
  readonly key: string;
  /** `char` for a whiteout. */
  readonly type: FileType;
  /** Bytes of a file, else 0. */
  readonly size: number;
  /** Names that the node has. */
  readonly links: number;
  /** Hides what lower layers have at its place. */
  readonly isWhiteout: boolean;
  /** A directory that hides what lower layers have in it. */
  readonly isOpaque: boolean;
  /** Of a directory, in the order of the names' bytes. */
  entries(): Iterable<[name: string, node: LayerNode]>;
  child(name: string): LayerNode | undefined;
  attributes(): NodeAttributes;
  /** Where a file's bytes begin; undefined where it has none. */
  content(): { file: string; start: number } | undefined;
}
