import type { Digest } from '../../oci/digest.ts';
import type { LayerPlace, LayerStaging, StagedLayer } from '../../snapshots/snapshotter.ts';
import type { FilePlace } from '../sources/file-place.ts';
import type { FileAction } from './file-action.ts';

/** What a job about files is to do. Plain data: each is run whole in a worker thread. */
export type FileJob = DigestJob | CopyJob | UpperJob | RedateJob | ReceiveJob | CompressJob;

/** What the actions take from their sources, as one digest: content, types, names, modes, owners, links, xattrs; no times. */
export interface DigestJob {
  kind: 'digest';
  actions: readonly FileAction[];
}

/** A layer of actions on top of `parent`. */
export interface CopyJob {
  kind: 'copy';
  staging: LayerStaging;
  /** Lowest first; empty: `FROM scratch` or `--link`. */
  parent: readonly LayerPlace[];
  /** Names of `--chown` are looked up here; `parent` but for `--link`. */
  users: readonly LayerPlace[];
  actions: readonly FileAction[];
  /** What a digest job said of the actions. Where their sources may change, what is copied has it, or the job fails (code "context-changed"). */
  digest?: Digest | undefined;
  /** Time of directories that are made because they were missing, seconds since 1970. */
  created: number;
  compression: LayerCompression;
}

/** A layer of what a RUN wrote: overlay's upper directory. */
export interface UpperJob {
  kind: 'upper';
  staging: LayerStaging;
  upper: string;
  /** What the run began with, lowest first: a directory of which only the time differs for a mount point's sake isn't written. */
  parent: readonly LayerPlace[];
  /** Paths to leave out, each with what is below: mount points that the run needed. */
  skip: readonly string[];
  compression: LayerCompression;
}

/** A layer of another one's files, of which none is later than `latest`. */
export interface RedateJob {
  kind: 'redate';
  staging: LayerStaging;
  /** The blob, compressed or not. */
  source: string;
  /** Seconds since 1970. */
  latest: number;
  compression: LayerCompression;
}

/** Received bytes become a context: see `ArchiveContext`. */
export interface ReceiveJob {
  kind: 'receive';
  /** The received archive, compressed or not. */
  file: string;
  /** Where tar and index go. */
  directory: string;
  /** What is no archive is a Dockerfile, and the tree's only file. */
  orDockerfile: boolean;
}

/** The tar in `source` (compressed or not) compressed anew, as the file `target`, synced. The same tar gives the same bytes. */
export interface CompressJob {
  kind: 'compress';
  source: string;
  target: string;
  compression: 'gzip' | 'zstd';
  /** The format's own scale; its fastest without it. */
  level?: number;
}

export interface CompressedBlob {
  digest: Digest;
  size: number;
}

/** `none`: the blob is the tar itself, which costs neither time nor disk, and is sent as it is. */
export type LayerCompression = 'gzip' | 'none';

export interface LayerOutcome {
  staged: StagedLayer;
  /** The file lies in the stage, synced, for the content store to adopt once a lease holds its digest. */
  blob: { file: string; digest: Digest; size: number; compression: LayerCompression };
}

export type FileProgress = { copiedBytes: number };

/** Runs them, some at a time. */
export interface FileRunner {
  prepare(): void;
  /** @throws EngineError "not-found" with BuildKit's words (`"/missing": not found`) for what isn't there. */
  digest(job: Omit<DigestJob, 'kind'>, options: { signal: AbortSignal }): Promise<Digest>;
  copy(job: Omit<CopyJob, 'kind'>, options: FileRunOptions): Promise<LayerOutcome>;
  upper(job: Omit<UpperJob, 'kind'>, options: FileRunOptions): Promise<LayerOutcome>;
  redate(job: Omit<RedateJob, 'kind'>, options: FileRunOptions): Promise<LayerOutcome>;
  receive(job: Omit<ReceiveJob, 'kind'>, options: { signal: AbortSignal }): Promise<FilePlace>;
  compress(job: Omit<CompressJob, 'kind'>, options: { signal: AbortSignal }): Promise<CompressedBlob>;
  close(): Promise<void>;
}

export interface FileRunOptions {
  signal: AbortSignal;
  progress?: (progress: FileProgress) => void;
}
