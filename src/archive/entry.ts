import type { FileType } from './tree.ts';

/**
 * One tar member as the reader gives it: pax and GNU extensions applied, sizes bounded, the name cleaned.
 */
export interface TarEntry {
  /** Relative, `/`-separated, no `.`/`..`/empty components; `''` is the root itself. Bytes that are not UTF-8 are kept as `path-bytes.ts` says. */
  path: string;
  type: FileType | 'hardlink';
  /** Permission bits, 12. */
  mode: number;
  uid: number;
  gid: number;
  mtimeSeconds: number;
  mtimeNanoseconds: number;
  /** Content bytes that follow in the archive. A sparse file's size is `sparse.realSize`. */
  size: number;
  /** Byte offset of the content in the tar stream. */
  dataOffset: number;
  /** Target: of a symlink as written, of a hard link cleaned like `path`. */
  linkTarget: string;
  deviceMajor: number;
  deviceMinor: number;
  xattrs: Xattrs;
  /** GNU or pax sparse map; undefined for a plain file. */
  sparse: SparseMap | undefined;
}

export type Xattrs = ReadonlyMap<string, Uint8Array>;

export interface SparseMap {
  realSize: number;
  /** Data segments: `offset` in the expanded file, `length` bytes, stored one after the other in the archive. */
  segments: { offset: number; length: number }[];
}

/** Overlay's meaning of a layer's member (OCI image spec, "Whiteouts"). */
export type LayerRole =
  | { role: 'node' }
  /** AUFS's own bookkeeping: to be skipped. */
  | { role: 'ignored' }
  | { role: 'whiteout' /** path that is removed from the layers below */; target: string }
  | { role: 'opaque' /** directory whose lower content is hidden */; directory: string };
