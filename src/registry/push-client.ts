import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference } from '../oci/reference.ts';
import type { RegistryRequest } from './registry-client.ts';

/** Bytes to send, from `start` on; asked for again when a connection broke. */
export type BlobOpener = (start: number) => ReadableStream<Uint8Array> | Promise<ReadableStream<Uint8Array>>;

export interface UploadRequest extends RegistryRequest {
  /** Send in pieces of so many bytes, which a broken connection doesn't throw away. One piece by default. */
  chunkBytes?: number;
  /** Bytes that the registry has taken so far. */
  onProgress?: (sentBytes: number) => void;
}

/** The writing half of the protocol. It goes to the origin, never to a mirror. Errors as in `RegistryClient`. */
export interface RegistryPushClient {
  blobExists(repository: Reference, digest: Digest, options: RegistryRequest): Promise<boolean>;
  /** Take a blob over from another repository of the same registry. False: it must be uploaded. */
  mountBlob(
    repository: Reference,
    blob: { digest: Digest; from: string },
    options: RegistryRequest,
  ): Promise<boolean>;
  /** Send a blob that the registry hasn't got; `descriptor.size` bytes are read of the stream, and it must end there. */
  uploadBlob(
    repository: Reference,
    blob: { descriptor: Pick<Descriptor, 'digest' | 'size'>; open: BlobOpener },
    options: UploadRequest,
  ): Promise<void>;
  /** Publish a manifest under the reference's tag, or under its digest. Returns the digest that the registry names. */
  putManifest(
    reference: Reference,
    manifest: { mediaType: string; bytes: Uint8Array },
    options: RegistryRequest,
  ): Promise<Digest>;
}
