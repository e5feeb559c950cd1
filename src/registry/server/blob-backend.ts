import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';

/**
 * What the embedded registry needs of a store. `daemon` wires it to a content store; tests have one in memory.
 * Repository names and tags are checked by the caller.
 */
export interface BlobBackend {
  blobSize(digest: Digest): Promise<number | undefined>;
  /** `end` is the byte after the last. */
  blobStream(digest: Digest, range?: { start: number; end: number }): ReadableStream<Uint8Array>;
  /** The file that holds the blob, where one does: the kernel then sends it. */
  blobPath?(digest: Digest): string | undefined;
  /** Open, or go on with, an upload. */
  upload(id: string): Promise<BlobUpload>;
  /** Store a manifest (its bytes are a blob too) and point the tag at it, if there is one. */
  putManifest(repository: string, manifest: StoredManifest & { tag: string | undefined }): Promise<void>;
  /** By tag or digest. */
  manifest(
    repository: string,
    reference: string,
  ): Promise<{ descriptor: Descriptor; bytes: Uint8Array } | undefined>;
  /** Whether the repository has been given this blob (a push or mount made it a member). */
  hasBlob(repository: string, digest: Digest): Promise<boolean>;
  linkBlob(repository: string, digest: Digest): Promise<void>;
  /** A tag alone, or a manifest with all tags that point at it. False: there was none. */
  deleteManifest(repository: string, reference: string): Promise<boolean>;
  deleteBlob(repository: string, digest: Digest): Promise<boolean>;
  /** In no order; undefined for a repository that isn't there. */
  tags(repository: string): Promise<string[] | undefined>;
  repositories(): Promise<string[]>;
  referrers(repository: string, subject: Digest): Promise<Descriptor[]>;
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
  /** @throws EngineError "invalid" code digest-mismatch; the bytes are then gone. */
  commit(digest: Digest): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}
