import { EngineError } from '../../errors/engine-error.ts';
import type { EscapeToken } from '../parser/parsed-dockerfile.ts';

/** The variables that a word may name. */
export interface Variables {
  get(name: string): string | undefined;
}

export interface ExpandOptions {
  readonly escapeToken: EscapeToken;
  /** Quotes are no quotes: they stay and protect nothing. */
  readonly skipQuotes?: boolean;
  /** Quotes protect and stay in the result. */
  readonly rawQuotes?: boolean;
  /** Escape tokens protect and stay in the result. */
  readonly rawEscapes?: boolean;
  /** `$x` of a variable that nobody set stays as it is written. */
  readonly skipUnset?: boolean;
}

export interface ExpandedWord {
  readonly result: string;
  /** Variables that were asked for and set. */
  readonly matched: ReadonlySet<string>;
  /** Variables that were asked for and not set. */
  readonly unmatched: ReadonlySet<string>;
}

/**
 * Put variables into one word, as BuildKit's shell lexer does: quotes, the escape token, `$x`, `${x}` and the modifiers
 * `:-` `-` `:+` `+` `:?` `?` `#` `##` `%` `%%` `/` `//`.
 *
 * @throws DockerfileError `failed to process "…": …` without a range.
 */
export function expandWord(word: string, variables: Variables, options: ExpandOptions): ExpandedWord {
  throw new EngineError(
    'not-implemented',
    `Cannot expand ${word.length} ${typeof variables} ${options.escapeToken} yet`,
  );
}

/** The same, split at blanks that no quote protects: a variable may become several words. @throws as `expandWord`. */
export function expandWords(word: string, variables: Variables, options: ExpandOptions): string[] {
  throw new EngineError(
    'not-implemented',
    `Cannot expand ${word.length} ${typeof variables} ${options.escapeToken} yet`,
  );
}
