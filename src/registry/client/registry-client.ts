import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Platform } from '../../oci/platform.ts';
import type { Reference } from '../../oci/reference.ts';

/** Plain data: crosses threads, so that a worker can open the same client. */
export interface RegistryConfig {
  /** Mirrors of docker.io, base URLs in order, as dockerd's `registry-mirrors`. */
  mirrors: string[];
  /** By registry host, with port where it has one: `ghcr.io`, `registry.lan:5000`, `docker.io`. */
  registries: Readonly<Record<string, RegistrySettings>>;
  /** Hosts or CIDRs that may speak plain HTTP or show any certificate. 127.0.0.0/8 and ::1 always are. */
  insecure: string[];
  /** Folders of `<host>/{hosts.toml,*.crt,*.cert,*.key}`; the first that has a host's folder speaks for that host. */
  certsDirectories: string[];
  userAgent: string;
  /** `http`, `https` and `no` proxy settings as in the environment. */
  proxy: { http?: string; https?: string; no?: string };
  /** How often what fails in a way that may pass is tried: dockerd's `max-download-attempts`. 5 by default. */
  attempts?: number;
}

/** What is settled for one registry. */
export interface RegistrySettings {
  /** Base URLs, asked in order before the registry itself. */
  mirrors: string[];
  /** May speak plain HTTP or show any certificate. */
  insecure: boolean;
  /** Whose word counts for what a tag means where a mirror and the registry differ. A digest's bytes are verified in any case. */
  tags: 'origin' | 'mirror';
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
  /**
   * The bytes were not the digest's. Gives back the mirrors that they came from, of which each is warned: to be left out (`except`) when the blob is asked for
   * again. None: the registry itself sent them.
   */
  refuse(): RegistrySource[];
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
  /**
   * What a reference names now, by a HEAD request: it costs no pull where pulls are counted. Unverified, as nothing was sent; undefined where the
   * registry doesn't tell.
   *
   * @throws as `manifest`.
   */
  head(reference: Reference, options: RegistryRequest): Promise<ResolvedHead | undefined>;
}

export interface ResolvedHead {
  descriptor: Descriptor;
  source: RegistrySource;
}

/** What a registry lists. Pages are followed on the same host only, and so many of them that an endless list ends. */
export interface RegistryCatalog {
  /**
   * The tags of a repository, as the registry orders them; from its mirrors and the registry itself in the usual order.
   *
   * @throws as `manifest`; "invalid" code size-exceeded past 100,000 tags.
   */
  tags(repository: Reference, options: RegistryRequest): Promise<string[]>;
  /** The repositories of a registry (`/v2/_catalog`), `domain` as in a reference. @throws as `tags`. */
  repositories(domain: string, options: RegistryRequest): Promise<string[]>;
  /**
   * What refers to a manifest: signatures, attestations, SBOMs. By the referrers API, by the tag schema where a registry has none.
   *
   * @throws as `tags`.
   */
  referrers(
    subject: { repository: Reference; digest: Digest; artifactType?: string },
    options: RegistryRequest,
  ): Promise<Descriptor[]>;
}

export interface SearchResult {
  name: string;
  description: string;
  starCount: number;
  isOfficial: boolean;
}

export interface SearchRequest extends RegistryRequest {
  /** 1 to 100; 25 by default. */
  limit?: number | undefined;
  isOfficial?: boolean | undefined;
  minStars?: number | undefined;
}

export interface RegistrySearch {
  /**
   * `GET /v1/search` of docker.io's index, or of the host that `term` begins with (`registry.lan:5000/redis`).
   *
   * @throws EngineError "invalid" for a limit out of range or a term with a scheme; "unavailable" code registry-unreachable. Docker's words.
   */
  search(term: string, request: SearchRequest): Promise<SearchResult[]>;
}

export interface RegistryLogin {
  /**
   * Check credentials against `credentials.serverAddress` (docker.io where it is empty).
   *
   * Resolves to Docker's status line and the identity token, which is empty where the registry gives none.
   *
   * @throws EngineError "unauthorized" code registry-denied where they are refused; "unavailable" code registry-unreachable. Docker's words.
   */
  login(
    credentials: RegistryCredentials,
    options: Pick<RegistryRequest, 'signal' | 'tlsVerify'>,
  ): Promise<{ status: string; identityToken: string }>;
}

/** What `GET /distribution/{name}/json` tells. */
export interface RemoteInspection {
  descriptor: Descriptor;
  /** Of an index's entries, or of the image's config; empty for an artifact. */
  platforms: Platform[];
}

/** `start` asks for the rest from that byte; `size`, from the descriptor, lets the stream refuse a byte too many or too few. */
export type BlobRequest = RegistryRequest & {
  start?: number;
  size?: number;
  /** Of a layer that may lie outside of registries: where, asked after the registry and by https alone. */
  urls?: readonly string[] | undefined;
  /** Not to be asked: what they sent of it was wrong. */
  except?: readonly RegistrySource[];
};

export interface RegistryRequest {
  signal: AbortSignal;
  credentials?: RegistryCredentials | undefined;
  /** False: this registry may show any certificate or speak plain HTTP, for this request. */
  tlsVerify?: boolean | undefined;
  /** Where the manifest came from: asked first. */
  source?: RegistrySource | undefined;
}
