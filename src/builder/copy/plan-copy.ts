import type { FilePlace } from '../sources/file-place.ts';
import type { FileAction, FileOwner } from './file-action.ts';

/** One source word of COPY or ADD, after its place was found. */
export type CopySource =
  /** A path in a context, a stage or an image. */
  | { kind: 'path'; place: FilePlace; path: string }
  /** A heredoc. */
  | { kind: 'text'; name: string; data: string }
  /** A downloaded file (`RemoteFiles` of a URL). */
  | { kind: 'url'; place: FilePlace; name: string }
  /** A checked-out repository: all of it. */
  | { kind: 'git'; place: FilePlace };

/** A COPY or ADD with its variables expanded. */
export interface CopyInstructionOptions {
  command: 'COPY' | 'ADD';
  /** As written; a relative one begins at `workdir`. */
  destination: string;
  /** Absolute. */
  workdir: string;
  chown: string;
  chmod: string;
  parents: boolean;
  exclude: readonly string[];
  /** ADD's `--unpack`; undefined: not given. */
  unpack: boolean | undefined;
}

/**
 * The actions of one COPY or ADD, in the order of its sources.
 *
 * @throws EngineError "invalid" with BuildKit's words for a bad `--chown` or `--chmod`.
 */
export declare function planCopy(
  sources: readonly CopySource[],
  options: CopyInstructionOptions,
): FileAction[];

/** `--chown`'s value. Undefined for ''. @throws EngineError "invalid". */
export declare function parseOwner(text: string): FileOwner | undefined;
