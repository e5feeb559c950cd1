import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** An OCI layout on the client's side: blobs that it has for a build, or takes of one. */
export interface ClientBlobs {
  /**
   * From its beginning, as the client sends it: who reads it verifies it. Each piece is good until the next.
   *
   * @throws EngineError "not-found" where the client hasn't got it.
   */
  read(digest: Digest, options: { signal: AbortSignal }): AsyncIterable<Uint8Array>;
  /** What the client has already isn't sent. Resolves when it is there whole. */
  write(
    blob: Descriptor,
    data: () => AsyncIterable<Uint8Array>,
    options: { signal: AbortSignal },
  ): Promise<void>;
}

/** The client's store of a cache (`type=local`), by the directory that the client calls it by. */
export function cacheStore(directory: string): string {
  return `local:${directory}`;
}

/** The client's store of a named context (`oci-layout://`). */
export function layoutStore(name: string): string {
  return `oci:${name}`;
}

/** The client's store of an output that is an OCI layout: there is one of them. */
export const EXPORT_STORE = 'export';
