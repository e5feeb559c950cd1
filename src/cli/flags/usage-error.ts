import { EngineError } from '../../errors/engine-error.ts';

/** A command line that can't be understood; the program adds usage and where to find help. */
export class UsageError extends EngineError {
  /** What was probably meant, ready to show. */
  readonly suggestions: readonly string[];

  constructor(message: string, options: { suggestions?: readonly string[] } = {}) {
    super('invalid', message);
    this.name = 'UsageError';
    this.suggestions = options.suggestions ?? [];
  }
}

/** `Did you mean` and the suggestions, as a paragraph, or nothing. */
export function didYouMean(suggestions: readonly string[]): string {
  if (suggestions.length === 0) return '';
  return `\n\nDid you mean ${suggestions.length > 1 ? 'one of these' : 'this'}?\n${suggestions.map((each) => `\t${each}`).join('\n')}`;
}
