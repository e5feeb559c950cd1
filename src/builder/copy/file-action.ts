import type { FilePlace } from '../sources/file-place.ts';

/** `--chown`, and what USER is for a WORKDIR: `user[:group]`, names or numbers. Names are looked up where the files go. */
export interface FileOwner {
  /** Name or number. */
  user: string;
  /** Undefined: the user's own, as /etc/passwd has it; the same number for a number. */
  group: string | undefined;
}

/** Copy what `path` of a tree selects to `destination`; the options are those of BuildKit's `FileActionCopy`. */
export interface CopyAction {
  kind: 'copy';
  source: FilePlace;
  /** From the source's root: a leading `/` or `..` leads nowhere else. */
  path: string;
  /** Absolute; a trailing `/` or `/.` says that it is a directory. */
  destination: string;
  owner: FileOwner | undefined;
  /** `--chmod`, octal or symbolic; '' leaves the modes as they are. */
  mode: string;
  /** `*`, `?` and `[…]` in `path` select. */
  wildcard: boolean;
  /** A pattern that selects nothing is no error. */
  allowEmpty: boolean;
  /** A link at the end of `path` is followed (inside the source). */
  followLinks: boolean;
  /** A directory's content goes into the destination, not the directory itself. */
  contentsOnly: boolean;
  /** Only what matches one of these below each selected path, and the directories above it (`--parents`). Empty: everything. */
  include: readonly string[];
  /** Not what matches these (`--exclude`). */
  exclude: readonly string[];
  /** Paths of the source that must be selected. */
  required: readonly string[];
  /** Archives are extracted instead of copied. */
  unpack: boolean;
}

/** Make a directory and the missing ones above it; one that is there stays as it is (WORKDIR). */
export interface MakeDirectoryAction {
  kind: 'make-directory';
  path: string;
  mode: number;
  owner: FileOwner | undefined;
}

/** What makes a layer without running anything, in order. Plain data. */
export type FileAction = CopyAction | MakeDirectoryAction;
