import type { Descriptor } from '../oci/descriptor.ts';
import type { ChainId, Digest } from '../oci/digest.ts';
import type { HistoryEntry, ImageConfig } from '../oci/image-config.ts';
import type { Platform } from '../oci/platform.ts';
import type { Reference } from '../oci/reference.ts';
import type { RegistryCredentials } from '../registry/client/registry-client.ts';
import type { Filters } from '../wire/filters.ts';
import type { CommitRequest } from './making/commit-image.ts';
import type { ImportSource } from './making/import-source.ts';
import type { ManifestView } from './manifest-views.ts';

/** One image with one platform chosen. */
export interface ImageView {
  /** Digest of the index or manifest as it was received. */
  id: Digest;
  /** What the ID stands for: index or manifest. */
  descriptor: Descriptor;
  manifestDigest: Digest;
  configDigest: Digest;
  /** Manifest bytes and media type as received. */
  mediaType: string;
  manifestSize: number;
  platform: Platform;
  config: ImageConfig;
  /** Top of the layer stack; undefined for an image without layers. */
  chainId: ChainId | undefined;
  /** Familiar names with tag (`busybox:latest`), and with digest (`busybox@sha256:…`). */
  repoTags: string[];
  repoDigests: string[];
  /** Sum of the uncompressed layer tars, bytes. */
  size: number;
  /** RFC 3339, undefined where the config has none. */
  created: string | undefined;
  lastTaggedNano: bigint | undefined;
  layers: { diffId: string; blob: Digest; blobSize: number; tarSize: number }[];
}

export interface HistoryView extends HistoryEntry {
  /** The image's ID on the first row and on rows that are images themselves, else undefined (`<missing>`). */
  id: Digest | undefined;
  size: number;
  tags: string[];
}

/** One line of pull progress, in Docker's words (`Pulling fs layer`, `Downloading`, `Verifying Checksum`, `Download complete`, `Extracting`, `Pull complete`, `Already exists`). */
export interface PullProgress {
  id?: string;
  status: string;
  current?: number;
  total?: number;
}

export interface PullRequest {
  /** Without tag and digest: every tag of the repository. */
  reference: Reference;
  platform: Platform | undefined;
  credentials: RegistryCredentials | undefined;
  /** False: the registry may show any certificate or speak plain HTTP, for this request. */
  tlsVerify?: boolean | undefined;
}

/** A line of a push or load: progress, a fact for programs, or text as it is printed. */
export type TransferLine = PullProgress | { aux: object } | { stream: string };

export type DeleteResult = { untagged: string } | { deleted: string };

/** Images as `server/` and `containers/` need them. `name` is a reference, an ID, a config digest or a unique prefix of one (with or without `sha256:`). */
export interface ImageBackend {
  /** An aborted pull leaves no tag, and its finished layers for a later one until the GC. @throws as RegistryClient, and "not-found" code no-matching-platform. */
  pull(
    request: PullRequest,
    options: { signal: AbortSignal; progress: (line: PullProgress) => void },
  ): Promise<void>;
  /** Send an image, or every tag of a repository (a reference without tag and digest). @throws as RegistryPushClient; "not-found" in Docker's words. */
  push(
    request: PullRequest,
    options: { signal: AbortSignal; progress: (line: TransferLine) => void },
  ): Promise<void>;
  /** An archive of images, made as it is read. @throws "not-found" before it begins. */
  save(request: {
    names: readonly string[];
    /** Empty: whatever is here. */
    platforms: readonly Platform[];
  }): Promise<AsyncIterable<Uint8Array>>;
  /**
   * Store the images of an archive: Docker's of any age or an OCI layout, compressed or not. Each image is whole or absent.
   *
   * @throws "invalid" for archives that are no such thing, or hostile; "not-found" for a platform that isn't in it.
   */
  load(
    source: ReadableStream<Uint8Array>,
    options: {
      platforms: readonly Platform[];
      quiet: boolean;
      signal: AbortSignal;
      progress: (line: TransferLine) => void;
    },
  ): Promise<void>;
  /** The archive at a URL, to be imported. @throws in Docker's words. */
  openUrl(source: string, options: { signal: AbortSignal }): Promise<ImportSource>;
  /** Make an image of one layer from a root file system tar. Resolves to its ID. */
  importTar(
    source: ReadableStream<Uint8Array>,
    options: {
      reference: Reference | undefined;
      message: string;
      changes: string[];
      platform: Platform | undefined;
      signal: AbortSignal;
    },
  ): Promise<Digest>;
  /** Make an image of a container. Resolves to its ID. */
  commit(request: CommitRequest, options: { signal: AbortSignal }): Promise<Digest>;
  /** A container was made of it, or started: a prune by age leaves it alone for a while. Costs the caller nothing. */
  used(id: Digest): void;
  /** @throws "not-found" `No such image: x`. */
  get(name: string, options?: { platform?: Platform | undefined }): Promise<ImageView>;
  list(request: { all: boolean; filters: Filters }): Promise<ImageView[]>;
  history(name: string, options?: { platform?: Platform | undefined }): Promise<HistoryView[]>;
  /**
   * What each layer brings, and what of it later ones replace or remove, read without a mount: an `ImageLayers` of `wire/` as JSON, in pieces.
   *
   * @throws as `get`; "invalid" code size-exceeded for more files than one answer holds.
   */
  layers(
    name: string,
    options: { platform: Platform | undefined; withFiles: boolean; signal: AbortSignal },
  ): Promise<Uint8Array[]>;
  /** How the files of `to` differ: an `ImageDiff` of `wire/` as JSON, in pieces. @throws as `layers`, for either. */
  diff(
    name: string,
    options: { to: string; platform: Platform | undefined; signal: AbortSignal },
  ): Promise<Uint8Array[]>;
  tag(name: string, target: Reference): Promise<void>;
  /**
   * Untag, and delete once nothing names it.
   *
   * @throws "conflict" code image-in-use, in Docker's words.
   */
  remove(
    name: string,
    options: {
      force: boolean;
      /** These alone, if any. */
      platforms?: readonly Platform[];
    },
  ): Promise<DeleteResult[]>;
  /** The manifests of an image, here or not, in its index's order. */
  manifests(name: string): Promise<ManifestView[]>;
  /** Images without container. Filters: `label`, `label!`, `until`, and ours `unused-for` (seconds) and `keep-size` (bytes). @throws "conflict" while another runs. */
  prune(options: {
    danglingOnly: boolean;
    filters: Filters;
  }): Promise<{ deleted: DeleteResult[]; reclaimedBytes: number }>;
  count(): number;
}
