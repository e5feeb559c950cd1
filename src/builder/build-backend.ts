import type { RegistryCredentials } from '../registry/client/registry-client.ts';
import type { OutputSink } from './build-session.ts';
import type { Builder } from './builder.ts';
import type { PostedCalls } from './posted-calls.ts';
import type { PostedSession } from './posted-session.ts';
import type { ReadableSource, ReadSourceOptions, SourceFiles } from './read-source.ts';
import type { LocalClaim } from './sources/local-contexts.ts';

/** An archive, or a directory that lies here. */
export type PostedEntry = [name: string, context: AsyncIterable<Uint8Array> | LocalClaim];

/** What a client posts with its build. */
export interface PostedBuild {
  /** By context name, taken in one after the other. */
  contexts: AsyncIterable<PostedEntry> | Iterable<PostedEntry>;
  secrets: ReadonlyMap<string, Uint8Array>;
  credentials: ReadonlyMap<string, RegistryCredentials>;
  outputs: ReadonlyMap<string, OutputSink>;
  /** Undefined: the protocol has no way back. */
  calls?: PostedCalls;
}

/** The builder as `server/` serves it. */
export interface BuildBackend extends Builder {
  /** A file that only root can read: what stands in it makes a `LocalClaim` good. */
  localProof(): Promise<string>;
  /** Single files of what a client names, for who drives a build and looks before it asks. The caller closes them. @throws as `readSource`. */
  read(source: ReadableSource, options: ReadSourceOptions): Promise<SourceFiles>;
  /**
   * Take in what was posted. The caller closes the session.
   *
   * @throws EngineError "invalid" for hostile archives, "conflict" for a directory that must be sent.
   */
  receive(posted: PostedBuild, options: { signal: AbortSignal }): Promise<PostedSession>;
}
