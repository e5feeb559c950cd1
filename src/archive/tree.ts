export type FileType = 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';

/** What a file system knows of one path. Times in seconds and nanoseconds since 1970; `mode` has the 12 permission bits only. */
export interface NodeAttributes {
  type: FileType;
  mode: number;
  uid: number;
  gid: number;
  mtimeSeconds: number;
  mtimeNanoseconds: number;
  /** Bytes for a file, length of the target for a symlink, else 0. */
  size: number;
  /** Number of links that this layer or stack gives the node. */
  links: number;
  /** Target of a symlink. */
  linkTarget?: string;
  deviceMajor?: number;
  deviceMinor?: number;
  xattrs: ReadonlyMap<string, Uint8Array>;
}

/** A read-only file tree that can be asked without mounting it: one layer's index or a whole stack. Paths are relative, `/`-separated, `''` is the root. */
export interface Tree {
  /** The node at exactly `path`; its last component is not followed, the ones before it are not symlinks. */
  lookup(path: string): Promise<NodeAttributes | undefined>;
  /** Names in a directory, sorted bytewise; undefined where `path` is no directory. */
  list(path: string): Promise<string[] | undefined>;
  /** File content. @throws EngineError "not-found", "invalid" when it is no regular file. */
  read(path: string): ReadableStream<Uint8Array>;
  /** Free what the tree holds open. */
  close(): Promise<void>;
}
