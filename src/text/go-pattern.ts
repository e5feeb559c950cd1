import { createRequire } from 'node:module';

/** A regular expression as Go has it. */
export interface GoPattern {
  /** Whether it is found anywhere in the text: in time that grows with the text alone, whatever the pattern. */
  test(text: string): boolean;
}

const require = createRequire(import.meta.url);
let engine: typeof import('re2js').RE2JS | undefined;

/**
 * Read a client's pattern. JavaScript's own expressions would backtrack, some of them for ever, and differ in syntax.
 *
 * @throws Error in Go's words, `error parsing regexp: missing closing ): …`.
 */
export function goPattern(source: string): GoPattern {
  // At first use: few ask, and it takes 30 ms.
  engine ??= (require('re2js') as typeof import('re2js')).RE2JS;
  const compiled = engine.compile(source);
  return { test: (text) => compiled.matcher(text).find() };
}

/** Undefined for what is no pattern. */
export function goPatternOrNone(source: string): GoPattern | undefined {
  try {
    return goPattern(source);
  } catch {
    return undefined;
  }
}
