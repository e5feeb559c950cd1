import type { SourceRange } from './source-range.ts';

/**
 * The Dockerfile as lines of instructions, not yet understood.
 *
 * All text is a string in the form of `archive/path-bytes`: bytes that are not UTF-8 (a comment in Latin-1, say) stand in it as lone
 * surrogates, and `encodePath` gives the bytes back. Once understood and expanded only the heredocs of COPY and ADD and the comments still
 * have them: RUN refuses such bytes, elsewhere they become U+FFFD.
 */
export interface ParsedDockerfile {
  /** `\` or, by the `escape` directive, a backtick. */
  readonly escapeToken: EscapeToken;
  /** `# syntax=`, `# escape=` and `# check=` at the head of the file. */
  readonly directives: readonly Directive[];
  readonly nodes: readonly DockerfileNode[];
  readonly warnings: readonly ParserWarning[];
}

export type EscapeToken = '\\' | '`';

export interface Directive {
  readonly name: 'syntax' | 'escape' | 'check';
  readonly value: string;
  readonly range: SourceRange;
}

/** One instruction as it was written, continuation lines joined. */
export interface DockerfileNode {
  /** The keyword as it was spelled: `FROM`, `run`, `WRONG`. */
  readonly keyword: string;
  /** `--name=value` in front of the arguments, quotes resolved. */
  readonly flags: readonly string[];
  readonly args: readonly string[];
  /** ONBUILD: the instruction behind it. */
  readonly child: DockerfileNode | undefined;
  /** The arguments were a JSON array. */
  readonly json: boolean;
  readonly heredocs: readonly Heredoc[];
  /** The joined line from which this was read. */
  readonly original: string;
  /** Comment lines since the instruction before, without `#`, trimmed; an empty one forgets those before it, a blank line doesn't. */
  readonly comments: readonly string[];
  readonly range: SourceRange;
}

export interface Heredoc {
  readonly name: string;
  /** The number before `<<`, 0 without one. */
  readonly fileDescriptor: number;
  /** False when the word was quoted: variables in the content stay. */
  readonly expand: boolean;
  /** `<<-`: leading tabs go. They are still in `content`. */
  readonly chomp: boolean;
  readonly content: string;
}

/** What the parser let pass. */
export interface ParserWarning {
  readonly short: string;
  readonly detail: readonly string[];
  readonly url: string;
  readonly range: SourceRange;
}
