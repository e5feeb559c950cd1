import type { LayerPlace } from '../../snapshots/snapshotter.ts';

/** One file that stands in the Dockerfile itself (a heredoc). */
export interface InlineText {
  name: string;
  data: string;
}

/** `ContextWant`, as plain data: what of a tree there is. */
export interface PlaceFilter {
  include: readonly string[];
  exclude: readonly string[];
  follow: readonly string[];
}

/**
 * Where a tree of source files lies, to be opened in whichever thread reads it (`openFilePlace`). Plain data; good for as long as its owner
 * holds it: a stage's chain by a lease, a context's by its `release`.
 */
export type FilePlace =
  /** The stack of an image or a stage, lowest first. None: an empty tree. */
  | { kind: 'layers'; layers: readonly LayerPlace[] }
  /** A tar that was received, and the index of what is in it. Names like `.wh.x` are files as any other. */
  | { kind: 'archive'; index: string; data: readonly string[]; filter?: PlaceFilter }
  /** A directory of this host. What it has from outside (links, mounts) isn't followed out of it. `digests`: file that remembers digests between builds. `version`: the same as at another time when the files are. */
  | { kind: 'directory'; path: string; digests?: string; version?: string; filter?: PlaceFilter }
  /** A client's own directory, read where it lies (`LocalNode`), and no other than this inode. `digests`: as above. */
  | { kind: 'local'; path: string; device: string; inode: string; digests: string; filter?: PlaceFilter }
  | { kind: 'texts'; texts: readonly InlineText[] };
