import type { Digest } from '../oci/digest.ts';
import type { Platform } from '../oci/platform.ts';
import type { Reference } from '../oci/reference.ts';
import type { Timeline } from '../sys/timeline.ts';
import type { FileChange } from './archive/file-changes.ts';
import type { PathStat } from './archive/path-stat.ts';
import type { ContainerConfig, ContainerView, HostOptions } from './container.ts';
import type { NetworkMembership } from './networking/container-networks.ts';
import type { ContainerStats } from './stats/container-stats.ts';
import type { ContainerChange } from './update/container-update.ts';

export interface CreateRequest {
  /** Without slash; undefined: a generated one. */
  name: string | undefined;
  config: ContainerConfig;
  host: HostOptions;
  /** What was said of networks, the mode's among them. */
  networks: NetworkMembership[];
  platform: Platform | undefined;
}

export interface CreateResult {
  id: string;
  warnings: string[];
}

export interface AttachRequest {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** Send what was logged before. */
  logs: boolean;
  stream: boolean;
  /** Bytes that, read in a row from a client, detach it; undefined: ctrl-p ctrl-q; empty: never. */
  detachKeys: Uint8Array | undefined;
}

/** A client's pipes, made by `server/` from a hijacked connection. */
export interface AttachClient {
  /** What the client types; ends when it half-closes; rejects when it vanishes. */
  stdin: AsyncIterable<Uint8Array>;
  /** Resolves when more may be written; rejects once the client is gone. With a TTY everything is `stdout`, raw. */
  write(stream: 'stdout' | 'stderr', data: Uint8Array): Promise<void>;
  /** Aborted when the client is gone. */
  signal: AbortSignal;
}

export interface LogRequest {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  sinceNano: bigint | undefined;
  untilNano: bigint | undefined;
  /** Number of lines from the end; undefined: all. */
  tail: number | undefined;
}

export interface LogLine {
  stream: 'stdout' | 'stderr';
  timeNano: bigint;
  /** With its newline, if it had one; a long line comes in parts of 16 KiB. */
  data: Uint8Array;
}

export interface LogAnswer {
  tty: boolean;
  /** What the container's log options tell with each line (`--details`): `key=value,…`, escaped; '' for nothing. */
  attributes: string;
  /** Many lines at a time. */
  batches: AsyncIterable<readonly LogLine[]>;
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface WaitResult {
  exitCode: number;
  error: string | undefined;
}

export interface ListRequest {
  all: boolean;
  limit: number | undefined;
  size: boolean;
  /** Docker's filters, key → values. Checked by the backend. */
  filters: ReadonlyMap<string, string[]>;
}

export interface ContainerSize {
  writableBytes: number;
  rootfsBytes: number;
}

export interface PathWrite {
  path: string;
  archive: ReadableStream<Uint8Array>;
  /** Refuse a directory in the place of a file, and the other way round. */
  keepKinds: boolean;
  /** The container's user gets everything, and not who the archive says. */
  toUser: boolean;
}

export interface ContainerCommit {
  /** Instead of the container's own where it says something. */
  config: ContainerConfig | undefined;
  /** Dockerfile instructions. */
  changes: readonly string[];
  reference: Reference | undefined;
  author: string;
  comment: string;
  pause: boolean;
}

export interface TimedOptions {
  /** Gets the steps of it. */
  timeline?: Timeline | undefined;
}

/**
 * Containers as `server/` needs them. `nameOrId` is a full name, an id, or a unique prefix of one.
 *
 * Every call throws EngineError "not-found" (`No such container: x`); create, start, stop, kill and remove run to their end though the client leaves.
 */
export interface ContainerBackend {
  /** @throws "not-found" `No such image: x`, "conflict" when the name is taken, "invalid" on bad options. */
  create(request: CreateRequest, options?: TimedOptions): Promise<CreateResult>;
  /** @throws "not-modified" when it runs already. */
  start(nameOrId: string, options?: TimedOptions): Promise<void>;
  /** `signal` is a name or number as typed. @throws "not-modified" when it does not run. */
  stop(
    nameOrId: string,
    options: { signal: string | undefined; timeoutSeconds: number | undefined },
  ): Promise<void>;
  restart(
    nameOrId: string,
    options: { signal: string | undefined; timeoutSeconds: number | undefined },
  ): Promise<void>;
  /** @throws "conflict" `… is not running`, "invalid" `cannot kill container: name: invalid signal: x`. */
  kill(nameOrId: string, signal: string): Promise<void>;
  pause(nameOrId: string): Promise<void>;
  unpause(nameOrId: string): Promise<void>;
  rename(nameOrId: string, name: string): Promise<void>;
  /** @returns what was left out. @throws "invalid" for senseless limits, "conflict" `Cannot update container …`. */
  update(nameOrId: string, change: ContainerChange): Promise<string[]>;
  /** Forget a link of a container's, by the name that it gives to another. @throws EngineError "not-found". */
  unlink(nameOrId: string, alias: string): Promise<void>;
  remove(nameOrId: string, options: { force: boolean; volumes: boolean }): Promise<void>;
  /** Remove those that do not run and that `isWanted`. One that can't be removed, or runs meanwhile, is left. */
  prune(
    isWanted: (container: ContainerView) => boolean,
    options: { signal: AbortSignal },
  ): Promise<{ deleted: string[]; reclaimedBytes: number }>;
  resize(nameOrId: string, size: { columns: number; rows: number }): Promise<void>;
  inspect(nameOrId: string): Promise<ContainerView>;
  size(nameOrId: string): Promise<ContainerSize>;
  list(request: ListRequest): Promise<ContainerView[]>;
  /**
   * Check, then `connect` is called exactly once, before the first byte (the server sends its 101/200 there); resolves when the stream has ended.
   *
   * @throws before `connect` only.
   */
  attach(
    nameOrId: string,
    request: AttachRequest,
    connect: (options: { tty: boolean }) => AttachClient,
  ): Promise<void>;
  logs(nameOrId: string, request: LogRequest, options: { signal: AbortSignal }): Promise<LogAnswer>;
  /** Registration is done when the outer promise resolves (the server then sends its headers), the exit is known when the inner one does. */
  wait(
    nameOrId: string,
    condition: WaitCondition,
    options: { signal: AbortSignal },
  ): Promise<{ result: Promise<WaitResult> }>;
  /** The whole root as a tar. @throws before the first byte only. */
  export(nameOrId: string, options: { signal: AbortSignal }): Promise<ReadableStream<Uint8Array>>;
  /** What was written since the container was made. */
  changes(nameOrId: string, options: { signal: AbortSignal }): Promise<FileChange[]>;
  /** Make an image of it. Resolves to the image's ID. @throws "invalid" for a bad change. */
  commit(nameOrId: string, request: ContainerCommit, options: { signal: AbortSignal }): Promise<Digest>;
  /**
   * What stands at a path of the container's tree, mounts included; it need not run. Paths begin at its root and never lead out of it.
   *
   * @throws "not-found" `Could not find the file …` as for the calls below.
   */
  statPath(nameOrId: string, path: string, options: { signal: AbortSignal }): Promise<PathStat>;
  /** The same, and a tar of it: members begin with the path's last name. @throws before the first byte. */
  readPath(
    nameOrId: string,
    path: string,
    options: { signal: AbortSignal },
  ): Promise<{ stat: PathStat; tar: ReadableStream<Uint8Array> }>;
  /**
   * Unpack a tar, compressed or not, into a directory. What was unpacked when it fails stays.
   *
   * @throws "invalid" where nothing may be written, or for an archive that is none.
   */
  writePath(nameOrId: string, request: PathWrite, options: { signal: AbortSignal }): Promise<void>;
  /** Paths that fit a pattern (`archive/name-pattern.ts`), 10,000 at most. */
  matchPaths(nameOrId: string, pattern: string, options: { signal: AbortSignal }): Promise<string[]>;
  /** What it uses now, with the sample of a second before unless `oneShot`. */
  statsOnce(nameOrId: string, options: { oneShot: boolean; signal: AbortSignal }): Promise<ContainerStats>;
  /** The same every second, until it is removed; nothing is kept for a reader who is late. */
  followStats(nameOrId: string, options: { signal: AbortSignal }): AsyncIterable<ContainerStats>;
  /** `ps` columns as `ps -o` prints them. */
  top(nameOrId: string, psArguments: string[]): Promise<{ titles: string[]; processes: string[][] }>;
  counts(): { running: number; paused: number; stopped: number };
}
