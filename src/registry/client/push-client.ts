import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Reference } from '../../oci/reference.ts';
import type { RegistryRequest } from './registry-client.ts';

/** Bytes to send, from `start` on; asked for again when a connection broke. */
export type BlobOpener = (start: number) => ReadableStream<Uint8Array> | Promise<ReadableStream<Uint8Array>>;

export interface UploadRequest extends RegistryRequest {
  /** Send in pieces of so many bytes, which a broken connection doesn't throw away. One piece by default. */
  chunkBytes?: number;
  /** Bytes that the registry has taken so far. */
  onProgress?: (sentBytes: number) => void;
  /** An attempt failed, another follows after this pause. */
  onRetry?: (pauseMs: number) => void;
}

/** A blob of a push. */
export interface PushBlob {
  descriptor: Pick<Descriptor, 'digest' | 'size' | 'mediaType' | 'urls'>;
  open: BlobOpener;
  /** What progress lines call it (Docker: 12 digits of the DiffID). Undefined: it has no line. */
  id: string | undefined;
  /** Paths of repositories at the same registry that may have it (`library/busybox`): tried in order before its bytes are sent. */
  mountFrom?: readonly string[];
}

export interface PushManifest {
  descriptor: Pick<Descriptor, 'digest' | 'size' | 'mediaType'>;
  bytes: Uint8Array;
}

/** All that stands below one name. */
export interface PushContent {
  /** With the tag, or the digest alone, that names the root. */
  reference: Reference;
  blobs: readonly PushBlob[];
  /** Children before what refers to them; the last one is the root. */
  manifests: readonly PushManifest[];
}

/** One line of push progress in Docker's words (`Preparing`, `Waiting`, `Pushing`, `Retrying in 5 seconds`, `Pushed`, `Layer already exists`, `Mounted from x`). */
export interface PushProgress {
  id?: string;
  status: string;
  current?: number;
  total?: number;
}

export interface PushOptions extends RegistryRequest {
  /** Uploads at a time; dockerd's default is 5. */
  maxConcurrentUploads: number;
  chunkBytes?: number;
  progress: (line: PushProgress) => void;
}

/** The writing half of the protocol. It goes to the origin, never to a mirror. Errors as in `RegistryClient`. */
export interface RegistryPushClient {
  blobExists(repository: Reference, digest: Digest, options: RegistryRequest): Promise<boolean>;
  /** Take a blob over from another repository of the same registry. False: it must be uploaded, be it that the registry doesn't let us look there. */
  mountBlob(
    repository: Reference,
    blob: { digest: Digest; from: string },
    options: RegistryRequest,
  ): Promise<boolean>;
  /**
   * Send a blob that the registry hasn't got; `descriptor.size` bytes are read of the stream, and it must end there. Broken attempts are repeated, in pieces
   * from where the registry stands. What fails or is aborted takes its upload session back.
   */
  uploadBlob(
    repository: Reference,
    blob: { descriptor: Pick<Descriptor, 'digest' | 'size'>; open: BlobOpener },
    options: UploadRequest,
  ): Promise<void>;
  /**
   * Publish a manifest under the reference's tag, or under its digest, or by that digest and the tag with it. Resolves to the digest.
   *
   * @throws EngineError "invalid" code digest-mismatch where the registry has stored something else.
   */
  putManifest(
    reference: Reference,
    manifest: { mediaType: string; bytes: Uint8Array },
    options: RegistryRequest,
  ): Promise<Digest>;
}
