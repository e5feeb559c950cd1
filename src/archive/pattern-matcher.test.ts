import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIgnoreFile } from './ignore-file.ts';
import { cleanPath, type PathMatch, PatternMatcher } from './pattern-matcher.ts';

/** As a walk asks: folder by folder, each with what is known of the one above. */
function walked(patterns: readonly string[], path: string): boolean {
  const matcher = new PatternMatcher(patterns);
  let known: PathMatch | undefined;
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
    known = matcher.match(path.slice(0, at), known);
  }
  return matcher.match(path, known).matched;
}

function refusal(patterns: readonly string[]): string {
  try {
    new PatternMatcher(patterns);
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('PatternMatcher', () => {
  test.each([
    ['*.go', 'a.go', true],
    ['*.go', 'x/a.go', false],
    ['**/*.go', 'x/y/a.go', true],
    ['**/*.go', 'a.go', true],
    ['docs', 'docs/x/y', true],
    ['docs/**', 'docs', false],
    ['docs/**', 'docs/x', true],
    ['**/node_modules', 'a/node_modules/b', true],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['a[b-d]e', 'ace', true],
    ['a[^b-d]e', 'ace', false],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'axb', false],
    ['ü?', 'üß', true],
    ['a/**/b/**/c*', 'a/x/y/b/z/cc', true],
    ['a/**/b/**/c*', 'a/b/cc', true],
    ['a/**/b/**/c*', 'a/bc/cc', false],
  ])('%s takes %s: %p', (pattern, path, expected) => {
    expect(new PatternMatcher([pattern]).matches(path)).toBe(expected);
    expect(walked([pattern], path)).toBe(expected);
  });

  test('the last pattern that says something decides', () => {
    const patterns = ['*', '!src', 'src/*.log', '!src/keep.log'];
    expect(
      ['a', 'src', 'src/x.ts', 'src/x.log', 'src/keep.log'].map((path) => walked(patterns, path)),
    ).toEqual([true, false, false, true, false]);
  });

  test('refuses what Go refuses', () => {
    for (const pattern of ['[', '[^', '[]a]', '[-]', '[x-]', '[a-b-c]', 'a[', '\\', '[a-']) {
      expect(refusal([pattern]), pattern).toBe('syntax error in pattern');
    }
    expect(refusal(['!'])).toBe('illegal exclusion pattern: "!"');
    expect(refusal(['', '  '])).toBe('accepted');
  });

  test('takesAllBelow() goes into a folder only where an exception may lie', () => {
    const skips = (patterns: string[], folder: string): boolean => {
      const matcher = new PatternMatcher(patterns);
      return matcher.takesAllBelow(folder, matcher.match(folder));
    };
    expect(skips(['docs'], 'docs')).toBeTrue();
    expect(skips(['docs'], 'src')).toBeFalse();
    expect(skips(['*', '!src/a'], 'docs')).toBeTrue();
    expect(skips(['*', '!src/a'], 'src')).toBeFalse();
    expect(skips(['*', '!src/a/*.ts'], 'src/a')).toBeFalse();
    expect(skips(['*', '!src/a/*.ts'], 'src/b')).toBeTrue();
    expect(skips(['*', '!**/keep'], 'docs')).toBeFalse();
    expect(skips(['!src/a', '*'], 'src')).toBeTrue();
    expect(skips(['docs', '!docs/**'], 'docs')).toBeFalse();
  });

  test('stars cost no more than the product of the lengths', () => {
    const path = `${'a'.repeat(2000)}/${'a'.repeat(2000)}`;
    const matcher = new PatternMatcher([
      `${'*a'.repeat(20)}b`,
      `${'**/a'.repeat(100)}b`,
      '**/a*a*a*a*a*a*a*a*b',
    ]);
    expect(matcher.matches(path)).toBeFalse();
    expect(matcher.matches(`${path}b`)).toBeTrue();
  });

  test('cleanPath() spells as Go does', () => {
    expect(['', 'a/', './a', 'a//b', '/', '/a/../b', '../a', 'a/./b/..'].map(cleanPath)).toEqual([
      '.',
      'a',
      'a',
      'a/b',
      '/',
      '/b',
      '../a',
      'a',
    ]);
  });
});

describe('readIgnoreFile()', () => {
  test('drops comments, blanks and the mark, cleans and makes relative', () => {
    const text = '\ufeffone\n/two\r\n/a/file/here\n\nlast//file\n# comment\n #not\n! /x/y/\n!\n! ';
    expect(readIgnoreFile(text)).toEqual([
      'one',
      'two',
      'a/file/here',
      'last/file',
      '#not',
      '!x/y',
      '!',
      '!',
    ]);
  });

  test('keeps bytes that are no UTF-8, refuses a line without end', () => {
    const [pattern = ''] = readIgnoreFile(Buffer.from([0x61, 0xff, 0x0a]));
    expect(new PatternMatcher([pattern]).matches('a\udcff')).toBeTrue();
    expect(() => readIgnoreFile('x'.repeat(65_536))).toThrow('token too long');
  });
});

const vectors = join(import.meta.dir, '../../../shared/vectors/patternmatcher.jsonl');

interface Row {
  pattern: string;
  patterns: string[];
  text: string;
  pass: boolean;
  s: string;
  match: boolean;
  err: unknown;
}

if (!existsSync(vectors)) {
  test('the pattern vectors are not here: own cases only', () => undefined);
} else {
  const tables = readFileSync(vectors, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { func: string; type: string; rows: Row[] | string[] });
  const rowsOf = (type: string) =>
    tables.filter((table) => table.type === type).flatMap((table) => table.rows as Row[]);

  describe('vectors', () => {
    test.each(rowsOf('[]matchesTestCase'))('%j', ({ pattern, text, pass }) => {
      expect(new PatternMatcher([pattern]).matches(text)).toBe(pass);
      expect(walked([pattern], text)).toBe(pass);
    });
    test.each(rowsOf('[]multiPatternTestCase'))('%j', ({ patterns, text, pass }) => {
      expect(new PatternMatcher(patterns).matches(text)).toBe(pass);
      expect(walked(patterns, text)).toBe(pass);
    });
    test.each(rowsOf('[]matchTest'))('%j', ({ pattern, s, match, err }) => {
      if (err !== null) expect(refusal([pattern])).toBe('syntax error in pattern');
      else expect(new PatternMatcher([pattern]).matches(s)).toBe(match);
    });
    test('patterns with exceptions', () => {
      const answers: Record<string, [path: string, taken: boolean]> = {
        TestExclusionPatternMatchesPatternBefore: ['fileutils.go', true],
        TestPatternMatchesFolderExclusions: ['docs/README.md', false],
        TestPatternMatchesFolderWithSlashExclusions: ['docs/README.md', false],
        TestPatternMatchesFolderWildcardExclusions: ['docs/README.md', false],
        TestExclusionPatternMatchesPatternAfter: ['fileutils.go', false],
      };
      for (const [func, [path, taken]] of Object.entries(answers)) {
        const patterns = tables.find((table) => table.func === func)?.rows as string[];
        expect(new PatternMatcher(patterns).matches(path), func).toBe(taken);
      }
    });
    test('lists of patterns are cleaned', () => {
      for (const { func, rows } of tables.filter((table) => table.func.startsWith('TestCleanPatterns'))) {
        const matcher = new PatternMatcher(rows as string[]);
        expect(matcher.patterns.length, func).toBe(2);
        expect(matcher.hasNegated, func).toBe(/Exception|Trimmed/.test(func));
      }
    });
    test('every pattern that Go compiles is one', () => {
      const compiled = rowsOf('[]compileTestCase');
      expect(compiled.length).toBeGreaterThan(0);
      for (const { pattern } of compiled) expect(refusal([pattern])).toBe('accepted');
    });
  });
}
