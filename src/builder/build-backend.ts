import type { RegistryCredentials } from '../registry/registry-client.ts';
import type { OutputSink } from './build-session.ts';
import type { Builder } from './builder.ts';
import type { PostedSession } from './posted-session.ts';

/** What a client posts with its build. */
export interface PostedBuild {
  /** Archives by context name, taken in one after the other. */
  contexts:
    | AsyncIterable<[string, AsyncIterable<Uint8Array>]>
    | Iterable<[string, AsyncIterable<Uint8Array>]>;
  secrets: ReadonlyMap<string, Uint8Array>;
  credentials: ReadonlyMap<string, RegistryCredentials>;
  outputs: ReadonlyMap<string, OutputSink>;
}

/** The builder as `server/` serves it. */
export interface BuildBackend extends Builder {
  /** Take in what was posted. The caller closes the session. @throws EngineError "invalid" for hostile archives. */
  receive(posted: PostedBuild, options: { signal: AbortSignal }): Promise<PostedSession>;
}
