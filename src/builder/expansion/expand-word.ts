import { quote } from '../../wire/quote.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import type { EscapeToken } from '../parser/parsed-dockerfile.ts';
import { WordLexer } from './word-lexer.ts';

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
  /** Hears of each variable that is asked for, also when the word turns out to be none. */
  readonly onLookUp?: (name: string, isSet: boolean) => void;
  /** Longest result in UTF-16 units; without one, the word's own length and MAX_EXPANSION more. */
  readonly maxLength?: number;
}

export interface ExpandedWord {
  readonly result: string;
  /** Variables that were asked for and set. */
  readonly matched: ReadonlySet<string>;
  /** Variables that were asked for and not set. */
  readonly unmatched: ReadonlySet<string>;
}

/** By how much variables may make a word longer: no environment of a Linux process holds more. */
export const MAX_EXPANSION = 1024 * 1024;

/**
 * Put variables into one word, as BuildKit's shell lexer does: quotes, the escape token, `$x`, `${x}` and the modifiers
 * `:-` `-` `:+` `+` `:?` `?` `#` `##` `%` `%%` `/` `//`.
 *
 * @throws DockerfileError `failed to process "…": …` without a range.
 */
export function expandWord(word: string, variables: Variables, options: ExpandOptions): ExpandedWord {
  const matched = new Set<string>();
  const unmatched = new Set<string>();
  const onLookUp = (name: string, isSet: boolean): void => {
    (isSet ? matched : unmatched).add(name);
    options.onLookUp?.(name, isSet);
  };
  const result = inWords(word, () => lexerOf(word, variables, { ...options, onLookUp }).expand());
  return { result, matched, unmatched };
}

/** The same, split at blanks that no quote protects: a variable may become several words. @throws as `expandWord`. */
export function expandWords(word: string, variables: Variables, options: ExpandOptions): string[] {
  return inWords(word, () => lexerOf(word, variables, options).expandToWords());
}

function lexerOf(word: string, variables: Variables, options: ExpandOptions): WordLexer {
  const { maxLength = word.length + MAX_EXPANSION } = options;
  return new WordLexer(word.toWellFormed(), variables, { ...options, maxLength });
}

/** Longest word quoted in a message. */
const QUOTED_LENGTH = 1000;

function inWords<T>(word: string, expand: () => T): T {
  try {
    return expand();
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    const shown = word.length > QUOTED_LENGTH ? `${word.slice(0, QUOTED_LENGTH)}…` : word;
    throw new DockerfileError(`failed to process ${quote(shown)}: ${error.message}`, error.range);
  }
}
