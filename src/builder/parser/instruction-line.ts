import { quote } from '../../wire/quote.ts';
import { cutBlanks, isSpace, splitBlanks, trimSpace, trimStart } from './blank.ts';
import { DockerfileError } from './dockerfile-error.ts';
import type { EscapeToken } from './parsed-dockerfile.ts';
import { MAX_WORDS, splitWords, takeFlags } from './words.ts';

/** One joined line, taken apart; DockerfileNode without its place and heredocs. */
export interface InstructionLine {
  keyword: string;
  flags: readonly string[];
  args: readonly string[];
  json: boolean;
  child: InstructionLine | undefined;
  original: string;
}

interface Arguments {
  args: readonly string[];
  json: boolean;
  child?: InstructionLine;
}

/** ONBUILD behind ONBUILD is refused later; so deep and no deeper is it read. */
const MAX_NESTING = 2;

/** @throws DockerfileError without a range. */
export function readInstructionLine(line: string, escapeToken: EscapeToken, nesting = 0): InstructionLine {
  const { word: keyword, rest } = cutBlanks(trimSpace(line));
  const taken = takeFlags(rest ?? '', escapeToken);
  const text = trimSpace(taken.rest);
  const { args, json, child } = readArguments(keyword.toLowerCase(), text, escapeToken, nesting);
  return { keyword, flags: taken.flags, args, json, child, original: line };
}

function readArguments(keyword: string, text: string, escapeToken: EscapeToken, nesting: number): Arguments {
  switch (keyword) {
    case 'run':
    case 'cmd':
    case 'entrypoint':
    case 'shell':
      return jsonOrText(text);
    case 'add':
    case 'copy':
    case 'volume':
      return jsonArray(text) ?? blankSeparated(text);
    case 'expose':
    case 'from':
      return blankSeparated(text);
    case 'arg':
      return { args: splitWords(text, escapeToken), json: false };
    case 'env':
    case 'label':
      return { args: namesAndValues(text, keyword.toUpperCase(), escapeToken), json: false };
    case 'healthcheck':
      return typeAndCommand(text);
    case 'onbuild':
      return trigger(text, escapeToken, nesting);
    case 'maintainer':
    case 'stopsignal':
    case 'user':
    case 'workdir':
      return { args: text === '' ? [] : [text], json: false };
    default:
      // A keyword that nobody knows is refused when it is understood; until then its arguments are one that wasn't read.
      return { args: [''], json: false };
  }
}

function trigger(text: string, escapeToken: EscapeToken, nesting: number): Arguments {
  if (text === '' || nesting >= MAX_NESTING) return { args: [], json: false };
  return { args: [], json: false, child: readInstructionLine(text, escapeToken, nesting + 1) };
}

function blankSeparated(text: string): Arguments {
  return { args: text === '' ? [] : splitBlanks(text, MAX_WORDS + 1), json: false };
}

function jsonOrText(text: string): Arguments {
  if (text === '') return { args: [], json: false };
  return jsonArray(text) ?? { args: [text], json: false };
}

/** An array of strings; undefined for what is no JSON array. @throws DockerfileError on an array of anything else. */
function jsonArray(text: string): Arguments | undefined {
  if (!trimStart(text).startsWith('[')) return undefined;
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(values) || values.some((value) => value === Infinity || value === -Infinity))
    return undefined;
  const args = values.map((value: unknown) => {
    if (typeof value === 'string') return value.toWellFormed();
    throw new DockerfileError('when using JSON array syntax, arrays must be comprised of strings only');
  });
  return { args, json: true };
}

/** `name=value …` or the old `name value`, as triples of name, value and what stood between them (`=` or nothing). */
function namesAndValues(text: string, keyword: string, escapeToken: EscapeToken): string[] {
  const words = splitWords(text, escapeToken);
  const [first] = words;
  if (first === undefined) return [];
  if (!first.includes('=')) {
    const { word, rest } = cutBlanks(text);
    if (rest === undefined) throw new DockerfileError(`${keyword} must have two arguments`);
    return [word, rest, ''];
  }
  return words.flatMap((word) => {
    const at = word.indexOf('=');
    if (at >= 0) return [word.slice(0, at), word.slice(at + 1), '='];
    const message = `Syntax error - can't find = in ${quote(word)}. Must be of the form: name=value`;
    throw new DockerfileError(message);
  });
}

function typeAndCommand(text: string): Arguments {
  let end = 0;
  while (end < text.length && !isSpace(text.charAt(end))) end++;
  if (end === 0) return { args: [], json: false };
  const command = jsonOrText(trimStart(text.slice(end)));
  return { args: [text.slice(0, end), ...command.args], json: command.json };
}
