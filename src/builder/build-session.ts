import type { Tree } from '../archive/tree.ts';
import type { RegistryCredentials } from '../registry/client/registry-client.ts';
import type { ClientBlobs } from './client-blobs.ts';
import type { OpenTerminal } from './client-terminal.ts';
import type { FilePlace } from './sources/file-place.ts';

/** What of a context is wanted. Patterns are `.dockerignore`'s grammar; paths are relative, `/`-separated. */
export interface ContextWant {
  /** Only what matches one of these, and the directories above; empty: everything. */
  include: readonly string[];
  /** Not what matches these (`!` takes back). */
  exclude: readonly string[];
  /** Where these are symbolic links, what they lead to within the context is wanted too. */
  follow: readonly string[];
}

/** A tree of source files that is here now, as files or as an index of an archive. */
export interface ContextTree {
  tree: Tree;
  /** The same files for a worker thread: COPY, ADD and cache keys read them there. */
  place: FilePlace;
  /**
   * A directory of this host with the same files, for binding into a RUN: read-only to its user, gone or changed after `release`.
   * Undefined: there is none, and who needs one makes a layer of the tree.
   */
  directory: string | undefined;
  /** Its user is done; what is kept for the next build is the context's own matter. */
  release(): Promise<void>;
}

/** Files that a client offers to a build: its context, or a named one. */
export interface ContextSource {
  /**
   * Bring what is wanted here. Callers of the same build may ask several times with different wants. `received` is told how many bytes have come so far.
   *
   * @throws EngineError "invalid" on hostile names or trees; the client's own words where it can't send.
   */
  open(
    want: ContextWant,
    options: { signal: AbortSignal; received?: (bytes: number) => void },
  ): Promise<ContextTree>;
}

/** Where a local output goes: the client writes it. */
export interface OutputSink {
  /** `local`: a tree of files, sent as a tar stream. `tar`, `oci`, `docker`: one archive. */
  write(archive: ReadableStream<Uint8Array>, options: { signal: AbortSignal }): Promise<void>;
}

/**
 * What the client of one build gives it while it runs: files, secrets, agents, logins. Each protocol has its own (a posted archive; a
 * BuildKit session); the builder knows only this.
 */
export interface BuildSession {
  /** `context`, `dockerfile`, or a named local one. @throws EngineError "not-found" when the client offers no such. */
  context(name: string): ContextSource;
  /** Undefined: the client has no such secret. At most 500 KB. */
  secret(id: string, options: { signal: AbortSignal }): Promise<Uint8Array | undefined>;
  /**
   * Listen on the Unix socket `path` (made for the RUN that mounts it) and carry each connection to the client's agent until `close`.
   *
   * @throws EngineError "not-found" when the client forwards no agent `id`.
   */
  forwardAgent(
    id: string,
    path: string,
    options: { signal: AbortSignal },
  ): Promise<{ close(): Promise<void> }>;
  /** Login for a registry; undefined: none. */
  credentials(host: string, options: { signal: AbortSignal }): Promise<RegistryCredentials | undefined>;
  /** @throws EngineError "not-implemented" where the protocol can't carry it. */
  output(id: string): OutputSink;
  /** Its client wants a shell where the first step fails; undefined: it doesn't. */
  readonly terminal?: OpenTerminal | undefined;
  /** An OCI layout of the client's, by its name there. @throws EngineError "not-implemented" where the protocol can't carry it. */
  blobs(store: string): ClientBlobs;
}
