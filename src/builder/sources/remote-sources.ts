import type { ContextTree, ContextWant } from '../build-session.ts';
import type { FilePlace } from './file-place.ts';
import type { GitAccess } from './git-access.ts';

/** What was fetched from elsewhere and is here now. */
export interface RemoteFiles {
  place: FilePlace;
  /** Names the content: the commit of a repository, the digest of a download. The same key is the same files. */
  key: string;
  /** Of a URL: the file's name in `place`. */
  name: string;
  release(): Promise<void>;
}

export interface HttpOptions {
  signal: AbortSignal;
  /** `sha256:…`; undefined: whatever comes. */
  checksum?: string | undefined;
  received?: (bytes: number) => void;
}

export interface GitOptions extends GitAccess {
  signal: AbortSignal;
  keepGitDir?: boolean | undefined;
  /** The commit, or its beginning, that must be found. */
  checksum?: string | undefined;
}

export interface RemoteContextOptions extends GitAccess {
  keepGitDir?: boolean | undefined;
  signal: AbortSignal;
  want?: ContextWant;
}

/** Fetches what Dockerfiles and contexts name by URL, and keeps it: a second time only asks whether it is still the same. */
export interface RemoteSources {
  /**
   * A file of a URL, mode 0600, its time from Last-Modified.
   *
   * @throws EngineError "invalid" with BuildKit's words; code digest-mismatch for another content than `checksum`.
   */
  http(url: string, options: HttpOptions): Promise<RemoteFiles>;
  /** `url[#ref[:directory]]`. @throws EngineError "unavailable" where there is no git; "invalid" with git's words. */
  git(url: string, options: GitOptions): Promise<RemoteFiles>;
  /** A context by URL: a repository, a tar (compressed or not), or a Dockerfile alone, which is then the tree's `Dockerfile`. */
  context(url: string, options: RemoteContextOptions): Promise<ContextTree>;
}
