import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest, DigestAlgorithm } from '../../oci/digest.ts';

/**
 * What the embedded registry needs of a store. `daemon` wires it to the engine's content; tests have one in memory.
 * Repository names and tags are checked by the caller.
 */
export interface BlobBackend {
  /**
   * A blob of a repository: one that was pushed or mounted there, or, behind a proxy, that its upstream has. `peek` asks for the size alone.
   * Whoever gets it closes it. Undefined: the repository hasn't got it.
   */
  openBlob(repository: string, digest: Digest, options?: OpenBlobOptions): Promise<OpenBlob | undefined>;
  /** Whether the repository has been given this blob (a push or mount made it a member). Nobody upstream is asked. */
  hasBlob(repository: string, digest: Digest): Promise<boolean>;
  /** Open, or go on with, an upload. */
  upload(id: string): Promise<BlobUpload>;
  /** Make a blob that is stored a member of another repository. `from` undefined: of any that has it. False: none has. */
  mountBlob(repository: string, digest: Digest, from: string | undefined): Promise<boolean>;
  /** Store a manifest (its bytes are a blob too) and point the tags at it. */
  putManifest(repository: string, manifest: StoredManifest & { tags: readonly string[] }): Promise<void>;
  /** By tag or digest. */
  manifest(repository: string, reference: string): Promise<FoundManifest | undefined>;
  /** A tag alone, or a manifest with all tags that point at it. False: there was none. */
  deleteManifest(repository: string, reference: string): Promise<boolean>;
  deleteBlob(repository: string, digest: Digest): Promise<boolean>;
  /** In no order; undefined for a repository that isn't there. */
  tags(repository: string): Promise<string[] | undefined>;
  repositories(): Promise<string[]>;
  referrers(repository: string, subject: Digest): Promise<Descriptor[]>;
}

export interface FoundManifest {
  descriptor: Descriptor;
  bytes: Uint8Array;
  /** It may be out of date: its upstream did not answer. */
  stale?: boolean;
}

export interface OpenBlobOptions {
  peek?: boolean;
  /** The client's: what is asked of an upstream for it ends with it, the body too. */
  signal?: AbortSignal;
}

export interface OpenBlob {
  /** Undefined where only its upstream knows. */
  size: number | undefined;
  /** `end` is the byte after the last. A blob whose bytes turn out to be others' breaks off before its end. */
  body(range?: { start: number; end: number }): Blob | ReadableStream<Uint8Array>;
  /** Let go of what `body` was not called for; one that it gave lives on. */
  close(): void;
}

export interface StoredManifest {
  /** With artifact type and annotations, as `referrers` lists it. */
  descriptor: Descriptor;
  bytes: Uint8Array;
  /** What it refers to, if it does. */
  subject: Digest | undefined;
}

export interface BlobUpload {
  readonly offset: number;
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Publish the bytes as a blob of the repository.
   *
   * @throws EngineError "invalid" code digest-mismatch; the bytes are then gone.
   */
  commit(repository: string, digest: Digest): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/** What the backend needs of a store of blobs; the engine's content store has this shape. */
export interface BlobStore {
  size(digest: Digest): Promise<number | undefined>;
  /** The file that holds the blob, where one does: the kernel then sends it. */
  path?(digest: Digest): string;
  read(digest: Digest, options: { maxBytes: number }): Promise<Uint8Array>;
  stream(digest: Digest, options?: { start?: number; end?: number }): ReadableStream<Uint8Array>;
  write(bytes: Uint8Array, expected?: Digest): Promise<Digest>;
  ingest(key: string, options?: { ephemeral?: boolean; algorithm?: DigestAlgorithm }): Promise<BlobIngest>;
  /** Remove what an ingest that nobody has open has left. */
  forgetIngest(key: string): Promise<void>;
  remove(digest: Digest): Promise<void>;
}

export interface BlobIngest {
  readonly offset: number;
  write(chunk: Uint8Array): Promise<void>;
  /** The bytes received so far, from `start` on. */
  replay(start?: number): ReadableStream<Uint8Array>;
  commit(expected: { digest: Digest }): Promise<unknown>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/** Whoever removes blobs from the store: the registry's own collector, or the engine's where they share one. */
export interface BlobKeeper {
  /** Once it resolves, what is in the store stays there until the hold is let go: time to name it. */
  hold(digests: readonly Digest[]): Promise<BlobHold>;
  /** The registry may have stopped naming these: remove those that nobody names. Resolves to the bytes that were freed, where that is known by then. */
  release(digests: readonly Digest[]): Promise<number>;
}

export interface BlobHold {
  release(): void;
}
