import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference } from '../oci/reference.ts';

/** Plain data: crosses threads, so that a worker can open the same client. */
export interface RegistryConfig {
  /** Mirrors of docker.io, base URLs in order, as dockerd's `registry-mirrors`. */
  mirrors: string[];
  /** Hosts or CIDRs that may speak plain HTTP or show any certificate. 127.0.0.0/8 and ::1 always are. */
  insecure: string[];
  /** Folder of `<host>/{ca.crt,client.cert,client.key}`. */
  certsDirectory: string;
  userAgent: string;
  /** `http`, `https` and `no` proxy settings as in the environment. */
  proxy: { http?: string; https?: string; no?: string };
}

/** For one request only; never stored, never logged. */
export interface RegistryCredentials {
  username?: string;
  password?: string;
  identityToken?: string;
  registryToken?: string;
  serverAddress?: string;
}

/** Where a manifest was found; later requests for the same image go there first. Plain data. */
export interface RegistrySource {
  /** Base URL, e.g. `http://127.0.0.1:5000`. */
  baseUrl: string;
  mirror: boolean;
}

export interface ResolvedManifest {
  descriptor: Descriptor;
  bytes: Uint8Array;
  source: RegistrySource;
}

export interface BlobStream {
  /** Where in the blob the body starts: 0 when the server ignored the range. */
  start: number;
  /** Each piece belongs to its reader alone. */
  body: ReadableStream<Uint8Array>;
  source: RegistrySource;
}

/**
 * Speaks the distribution protocol and nothing else: no store, no images.
 *
 * Mirrors first and in order, then the origin; what was not answered by one is asked of the next, with a warning. Every error has Docker's wording
 * ("manifest unknown", "pull access denied for x, repository does not exist or may require 'docker login'").
 */
export interface RegistryClient {
  /**
   * The manifest or index that `reference` names (tag or digest); bytes are at most 4 MiB and match the digest.
   *
   * @throws EngineError "not-found" code registry-manifest-unknown, "unauthorized"/"forbidden" code registry-denied, "unavailable" code registry-unreachable.
   */
  manifest(reference: Reference, options: RegistryRequest): Promise<ResolvedManifest>;
  /**
   * The compressed blob, unverified (the caller hashes). A connection that breaks or stalls on the way is replaced, so that the stream either
   * ends where the blob does or fails. It must be read to its end or cancelled.
   *
   * @throws as `manifest`.
   */
  blob(repository: Reference, digest: Digest, options: BlobRequest): Promise<BlobStream>;
}

/** `start` asks for the rest from that byte; `size`, from the descriptor, lets the stream refuse a byte too many or too few. */
export type BlobRequest = RegistryRequest & { start?: number; size?: number };

export interface RegistryRequest {
  signal: AbortSignal;
  credentials?: RegistryCredentials | undefined;
  /** Where the manifest came from: asked first. */
  source?: RegistrySource | undefined;
}
