import { isSpace } from './blank.ts';
import { DockerfileError } from './dockerfile-error.ts';
import type { EscapeToken } from './parsed-dockerfile.ts';

/** Arguments and flags of a whole file: far more than any has, few enough to be held while they are understood. */
export const MAX_WORDS = 100_000;

export function tooManyWords(): DockerfileError {
  return new DockerfileError(`Cannot build a Dockerfile of more than ${MAX_WORDS} words`);
}

/**
 * Split at space that neither quotes nor the escape token protect. Quotes and escape tokens stay in the words: whoever expands
 * variables in them needs them. An escape token at the very end is dropped.
 *
 * @throws DockerfileError for too many.
 */
export function splitWords(text: string, escapeToken: EscapeToken): string[] {
  const words: string[] = [];
  let at = 0;
  while (at < text.length) {
    if (isSpace(text.charAt(at))) {
      at++;
      continue;
    }
    const { word, end } = readWord(text, at, escapeToken);
    if (word !== '') words.push(word);
    if (words.length > MAX_WORDS) throw tooManyWords();
    at = end;
  }
  return words;
}

function readWord(text: string, start: number, escapeToken: EscapeToken): { word: string; end: number } {
  let quote = '';
  let at = start;
  for (; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === escapeToken && quote !== "'") {
      if (at + 1 === text.length) return { word: text.slice(start, at), end: at + 1 };
      at++;
    } else if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (isSpace(character)) break;
  }
  return { word: text.slice(start, at), end: at };
}

/** `--name=value` words at the start of `text`, quotes and escape tokens resolved, and what follows them. A bare `--` ends them. */
export function takeFlags(text: string, escapeToken: EscapeToken): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let at = 0;
  while (at < text.length) {
    if (isSpace(text.charAt(at))) {
      at++;
      continue;
    }
    if (!text.startsWith('--', at)) return { flags, rest: text.slice(at) };
    const { word, end, quoted } = readFlag(text, at, escapeToken);
    if (word === '--') return { flags, rest: text.slice(end) };
    if (quoted || word !== '') flags.push(word);
    if (flags.length > MAX_WORDS) throw tooManyWords();
    at = end;
  }
  return { flags, rest: '' };
}

function readFlag(text: string, start: number, escapeToken: EscapeToken) {
  const parts: string[] = [];
  let quote = '';
  let quoted = false;
  let from = start;
  let at = start;
  for (; at < text.length; at++) {
    const character = text.charAt(at);
    const closes = quote !== '' && character === quote;
    const opens = quote === '' && (character === '"' || character === "'");
    if (quote === '' && isSpace(character)) break;
    if (!closes && !opens && character !== escapeToken) continue;
    parts.push(text.slice(from, at));
    from = at + 1;
    if (closes) quote = '';
    else if (opens) {
      quote = character;
      quoted = true;
    } else at++;
  }
  parts.push(text.slice(from, at));
  return { word: parts.join(''), end: at, quoted };
}
