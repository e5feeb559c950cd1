import type { Int64 } from './int64.ts';
import type { OciPlatform } from './oci-descriptor.ts';

/**
 * Answer of `GET /images/{name}/layers`: what each layer brings, from the indexes, without mounting anything. Sampan's own.
 *
 * Query: `platform` as JSON, as for history; `files=1` lists the files too. 404 as for inspect.
 */
export interface ImageLayers {
  /** The image's ID. */
  Id: string;
  Platform: OciPlatform;
  /** Bytes of all files of all layers. */
  Size: Int64;
  /** Of these, what later layers replace or remove. */
  WastedSize: Int64;
  /** The lowest first. */
  Layers: ImageLayer[];
}

export interface ImageLayer {
  /** Digest of the uncompressed tar. */
  DiffId: string;
  /** Digest of the blob as the registry sent it; empty when there is none. */
  Digest: string;
  /** The step of the history that made it; empty when it isn't told. */
  CreatedBy: string;
  /** RFC 3339; empty when it isn't told. */
  Created: string;
  /** Bytes of its files, hard links counted once. */
  Size: Int64;
  /** Bytes of the blob as the registry sent it; 0 when there is none. */
  BlobSize: Int64;
  /** Entries: files, directories, links, devices, whiteouts. */
  Files: number;
  /** Of its bytes, what later layers replace or remove. */
  WastedSize: Int64;
  /** With `files=1`, by path. */
  Entries?: LayerEntry[];
}

/** How a path differs from what was below it. */
export type ChangeKind = 'added' | 'modified' | 'removed';

export type EntryType = 'file' | 'directory' | 'symlink' | 'device' | 'fifo' | 'socket';

export interface LayerEntry {
  /** From the root, with a leading slash; bytes that are no UTF-8 as lone surrogates (`archive/path-bytes`). */
  Path: string;
  Kind: ChangeKind;
  /** Of what was there, for one that is removed. */
  Type: EntryType;
  /** Bytes of a file; 0 for everything else. */
  Size: Int64;
  /** Whether a later layer replaces or removes it. */
  Wasted: boolean;
}
