import type { FileType, NodeAttributes } from '../../archive/tree.ts';

/**
 * A node of a source tree. Synchronous: for a thread that may wait for the disk. Nodes of one key are one file under several names.
 */
export interface FileNode {
  readonly key: string;
  readonly type: FileType;
  /** Bytes of a file, else 0. */
  readonly size: number;
  /** Names that the node has. */
  readonly links: number;
  attributes(): NodeAttributes;
  /** Of a directory, in the order of their bytes; none for anything else. */
  names(): readonly string[];
  child(name: string): FileNode | undefined;
  /**
   * A file's content.
   *
   * @throws EngineError "invalid" when it isn't any more the file that this node was.
   */
  open(): OpenContent;
  /** Changes whenever the content may have changed; undefined: this can't be told. */
  stamp(): ContentStamp | undefined;
}

export interface OpenContent {
  /** As pread(2): bytes read into `buffer` at `at`, 0 at the end. */
  read(buffer: Uint8Array, at: number, length: number, position: number): number;
  close(): void;
}

/** What a file system says of a file without reading it. */
export interface ContentStamp {
  device: bigint;
  inode: bigint;
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
}
