import type { Digest, DigestAlgorithm } from '../oci/digest.ts';

/**
 * Immutable blobs by digest, in an OCI layout on disk (`blobs/<algorithm>/<hex>`).
 *
 * State is only the files: an instance over the same root may be opened in any thread. Nothing appears under its digest before
 * the bytes were hashed and synced.
 */
export interface ContentStore {
  /** Size in bytes, or undefined where the blob is absent. */
  size(digest: Digest): Promise<number | undefined>;
  /** The file that holds the blob, whether or not it exists. For readers in other threads; never written to. */
  path(digest: Digest): string;
  /**
   * Read a small blob whole. It is hashed again.
   *
   * @throws EngineError "not-found", with code digest-mismatch when it is damaged; "invalid" code size-exceeded when it is larger than `maxBytes`.
   */
  read(digest: Digest, options: { maxBytes: number }): Promise<Uint8Array>;
  /** @throws EngineError "not-found". */
  stream(digest: Digest, options?: { start?: number; end?: number }): ReadableStream<Uint8Array>;
  /** Store small bytes, by `expected`'s algorithm, else sha256. @throws EngineError "invalid" code digest-mismatch when `expected` is given and differs. */
  write(bytes: Uint8Array, expected?: Digest): Promise<Digest>;
  /**
   * Open, or open again after an interruption, the ingest named `key`. Its bytes survive a crash of the process; those of an `ephemeral` one, which nobody
   * will come for again, are swept after it, however young.
   *
   * @throws EngineError "conflict" while another open ingest has the same key.
   */
  ingest(key: string, options?: IngestOptions): Promise<Ingest>;
  /**
   * Take the file `path` over as the blob `digest`: hashed and synced by whoever wrote it, on the same file system, never to change. It is gone from `path`.
   */
  adopt(path: string, digest: Digest): Promise<void>;
  /** Remove a blob; absent is fine. Callers hold the GC lock. */
  remove(digest: Digest): Promise<void>;
  list(): AsyncIterable<{ digest: Digest; sizeBytes: number }>;
  /** Remove what a broken download of this key left, unless it is under way; absent is fine. */
  forgetIngest(key: string): Promise<void>;
  /** Remove ingests untouched for `olderThanMs`, and ephemeral ones of earlier processes. */
  sweepIngests(olderThanMs: number): Promise<void>;
}

export interface IngestOptions {
  restart?: boolean;
  ephemeral?: boolean;
  /** What it is hashed with on the way: sha256 by default. A commit to a digest of another reads the bytes once more. */
  algorithm?: DigestAlgorithm;
}

/** A blob under way. The bytes on disk so far are hashed at open, so a resumed download is verified whole. */
export interface Ingest {
  /** Bytes safely received so far: where a Range request goes on. */
  readonly offset: number;
  write(chunk: Uint8Array): Promise<void>;
  /** Bytes received so far, from `start` on, for a consumer that has to see them again (decompression after a resume) or follows. */
  replay(start?: number): ReadableStream<Uint8Array>;
  /** The digest of the bytes so far. */
  digest(): Promise<Digest>;
  /**
   * Sync, verify, publish.
   *
   * @throws EngineError "invalid" code digest-mismatch; the ingest's bytes are then gone.
   */
  commit(expected?: { digest?: Digest; size?: number }): Promise<{ digest: Digest; size: number }>;
  /** Let go, keep the bytes for a later `ingest` of the same key. */
  close(): Promise<void>;
  /** Let go and remove the bytes. */
  abort(): Promise<void>;
}
