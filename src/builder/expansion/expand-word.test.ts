import { describe, expect, test } from 'bun:test';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import { type ExpandOptions, expandWord, expandWords, MAX_EXPANSION } from './expand-word.ts';

const VARIABLES = new Map([
  ['HOME', '/root'],
  ['EMPTY', ''],
  ['PATHS', '/a/b/c.tar.gz'],
  ['SPACES', ' x  y '],
  ['STARS', 'a*b?c*'],
  ['LINES', 'one\ntwo'],
  ['한', '국'],
]);
const BACKSLASH: ExpandOptions = { escapeToken: '\\' };

function expand(word: string, options: ExpandOptions = BACKSLASH): string {
  try {
    return expandWord(word, VARIABLES, options).result;
  } catch (error) {
    if (error instanceof DockerfileError)
      return `refused: ${error.message.replace(/^failed to process ".*?[^\\]": /s, '')}`;
    throw error;
  }
}

describe('expandWord()', () => {
  test.each([
    ['plain', 'plain'],
    ['$HOME/x', '/root/x'],
    ['${HOME}x', '/rootx'],
    ['$NONE.x', '.x'],
    ['$', '$'],
    ['$.', '$.'],
    ['$한', '국'],
    ['$1x$@y$$', 'xy'],
    ['"$HOME" \'$HOME\' \\$HOME', '/root $HOME $HOME'],
    ['"a\\"b\\c\\$d"', 'a"b\\c$d'],
    ["'a\\'", 'a\\'],
    ['a\\', 'a'],
    ['a\\\\', 'a\\'],
  ])('%j is %j', (word, result) => expect(expand(word)).toBe(result));

  test.each([
    ['${NONE:-a}${EMPTY:-b}${HOME:-c}', 'ab/root'],
    ['${NONE-a}${EMPTY-b}${HOME-c}', 'a/root'],
    ['${NONE:+a}${EMPTY:+b}${HOME:+c}', 'c'],
    ['${NONE+a}${EMPTY+b}${HOME+c}', 'bc'],
    ['${HOME:?x}${EMPTY?y}', '/root'],
    ['${NONE:-${OTHER:-"}"}}', '}'],
    ['${PATHS#*/}', 'a/b/c.tar.gz'],
    ['${PATHS##*/}', 'c.tar.gz'],
    ['${PATHS%.*}', '/a/b/c.tar'],
    ['${PATHS%%.*}', '/a/b/c'],
    ['${PATHS%/?.*}', '/a/b'],
    ['${PATHS#x}', '/a/b/c.tar.gz'],
    ['${PATHS/\\//-}', '-a/b/c.tar.gz'],
    ['${PATHS//\\//-}', '-a-b-c.tar.gz'],
    ['${PATHS//.*/}', '/a/b/c'],
    ['${PATHS/[ab]/x}', '/a/b/c.tar.gz'],
    ['${STARS//\\*/x}${STARS/\\?/y}', 'axb?cxa*byc*'],
    ['${HOME//?/<$0>}', '<><><><><>'],
    ['${HOME//?/<\\$0>}', '<\\/><\\r><\\o><\\o><\\t>'],
    ['${EMPTY//*/x}${HOME//*/x}', 'xx'],
    ['${LINES#*}|${LINES##*}|${LINES%%*}', 'one\ntwo|\ntwo|one\n'],
    ['${NONE#a}${NONE/a/b}', ''],
  ])('%s is %j', (word, result) => expect(expand(word)).toBe(result));

  test.each([
    ['${NONE:?}', 'NONE: is not allowed to be unset'],
    ['${EMPTY:?}', 'EMPTY: is not allowed to be empty'],
    ['${NONE?give $HOME}', 'NONE: give /root'],
    ['${HOME', 'unsupported modifier (\ufffd) in substitution'],
    ['${HOME:-a', "syntax error: missing '}'"],
    ['${HOME/a', "syntax error: missing '/' in ${}"],
    ['${HOME/a/b', "syntax error: missing '}'"],
    ['${', "syntax error: missing '}'"],
    ['${}', 'syntax error: bad substitution'],
    ['${HOME:=a}', 'unsupported modifier (:=) in substitution'],
    ['${HOME:#a}', 'unsupported modifier (:#) in substitution'],
    ['${HOME#\\a}', "invalid pattern (\\a) in substitution: invalid escape '\\a'"],
    ['"a', 'unexpected end of statement while looking for matching double-quote'],
    ["'a", 'unexpected end of statement while looking for matching single-quote'],
  ])('%s is refused: %s', (word, reason) => expect(expand(word)).toBe(`refused: ${reason}`));

  test('quotes the word that it refuses', () => {
    expect(() => expandWord('é"\t', VARIABLES, BACKSLASH)).toThrow(
      'failed to process "é\\"\\t": unexpected end',
    );
  });

  test('knows the other escape token, raw forms and names that nobody set', () => {
    expect(expand('a`$HOME\\$HOME', { escapeToken: '`' })).toBe('a$HOME\\/root');
    expect(expand('"$HOME"\'x\'', { ...BACKSLASH, rawQuotes: true })).toBe('"/root"\'x\'');
    expect(expand('"$HOME"\'\\$HOME', { ...BACKSLASH, skipQuotes: true })).toBe('"/root"\'$HOME');
    expect(expand('a\\ b', { ...BACKSLASH, rawEscapes: true })).toBe('a\\ b');
    const skipUnset = { ...BACKSLASH, skipUnset: true };
    expect(expand('$N ${N} ${N:-a} ${N#b} ${N/c/d} $HOME', skipUnset)).toBe(
      '$N ${N} ${N:-a} ${N#b} ${N/c/d} /root',
    );
  });

  test('tells which names were asked for', () => {
    const { matched, unmatched } = expandWord('$HOME ${NONE:-$OTHER} ${EMPTY+$THIRD}', VARIABLES, BACKSLASH);
    expect([[...matched], [...unmatched]]).toEqual([
      ['HOME', 'EMPTY'],
      ['OTHER', 'NONE', 'THIRD'],
    ]);
  });

  test('neither depth nor length nor stars are without bounds', () => {
    expect(expand(`${'${A:-'.repeat(5000)}x${'}'.repeat(5000)}`)).toStartWith('refused: ');
    const large = new Map([['A', 'a'.repeat(MAX_EXPANSION / 2)]]);
    const refusal = (word: string) => () => expandWord(word, large, BACKSLASH);
    expect(refusal('$A$A$A')).toThrow('the result is longer than');
    expect(refusal(`\${A//aaaa/${'b'.repeat(100)}}`)).toThrow('the result is longer than');
    expect(refusal(`\${A#${'*a'.repeat(400)}b}`)).toThrow('too long for the value');
    const stars = new Map([['A', 'a'.repeat(20_000)]]);
    expect(expandWord(`\${A##${'*a'.repeat(300)}b}`, stars, BACKSLASH).result).toHaveLength(20_000);
  });
});

describe('expandWords()', () => {
  test.each([
    ['a b', ['a', 'b']],
    ['a$SPACES', ['a', 'x', 'y']],
    ['a"$SPACES"b', ['a x  y b']],
    ['a\\ b c', ['a b', 'c']],
    ['\'\' ""', []],
    ['80${NONE:-90}', ['8090']],
    ['<< EOF <<-X', ['<< EOF', '<<-X']],
    ['$NONE', []],
  ])('%j are %j', (word, words) => expect(expandWords(word, VARIABLES, BACKSLASH)).toEqual(words));
});
