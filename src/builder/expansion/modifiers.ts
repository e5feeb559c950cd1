import { DockerfileError } from '../parser/dockerfile-error.ts';
import {
  codePoint,
  findMatches,
  fromCodePoints,
  parseShellPattern,
  removeMatch,
  type ShellPattern,
} from './shell-pattern.ts';

export interface ExpandedVariable {
  readonly name: string;
  readonly value: string | undefined;
}

/** `${name<operator>word}` for the operators `:-` `-` `:+` `+` `:?` `?` `#` `%`; a doubled `#` or `%` starts `word`. */
export function applyModifier({ name, value }: ExpandedVariable, operator: string, word: string): string {
  const emptyIsUnset = operator.startsWith(':');
  const isSet = value !== undefined && !(emptyIsUnset && value === '');
  switch (operator.at(-1)) {
    case '-':
      return isSet ? value : word;
    case '+':
      return isSet ? word : '';
    case '?': {
      if (isSet) return value;
      const fault = value === undefined ? 'is not allowed to be unset' : 'is not allowed to be empty';
      throw new DockerfileError(`${name}: ${word === '' ? fault : word}`);
    }
    default:
      return removePattern(value ?? '', operator, word);
  }
}

function removePattern(value: string, operator: string, word: string): string {
  const longest = word.startsWith(operator);
  const text = longest ? word.slice(1) : word;
  const pattern = shellPattern(text);
  return (
    removeMatch(value, pattern, { from: operator === '#' ? 'start' : 'end', longest }) ?? tooCostly(text)
  );
}

export interface Replacement {
  readonly pattern: string;
  readonly replacement: string;
  readonly all: boolean;
  readonly maxLength: number;
}

/** `${name/pattern/replacement}`, or with `all` `${name//pattern/replacement}`, where the replacement is a template of Go's regexp. */
export function replaceMatches(value: string, { pattern, replacement, all, maxLength }: Replacement): string {
  const text = Array.from(value, codePoint);
  const matches = findMatches(text, shellPattern(pattern), all) ?? tooCostly(pattern);
  const parts: string[] = [];
  let last = 0;
  let length = 0;
  for (const [start, end] of matches) {
    const part = all ? fillTemplate(replacement, text.slice(start, end)) : replacement;
    parts.push(fromCodePoints(text.slice(last, start)), part);
    last = end;
    length += part.length;
    if (length > maxLength) throw new DockerfileError(`the result is longer than ${maxLength} characters`);
  }
  parts.push(fromCodePoints(text.slice(last)));
  return parts.join('');
}

/** A pattern has no groups: `$0` is the match, every other name nothing, `$$` a dollar sign. */
function fillTemplate(template: string, match: readonly number[]): string {
  return template.replace(/\$(?:\$|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu, (whole, bare, braced) => {
    if (whole === '$$') return '$';
    return (bare ?? braced) === '0' ? fromCodePoints(match) : '';
  });
}

function shellPattern(text: string): ShellPattern {
  const pattern = parseShellPattern(text);
  if (typeof pattern !== 'string') return pattern;
  throw new DockerfileError(`invalid pattern (${text}) in substitution: ${pattern}`);
}

function tooCostly(pattern: string): never {
  throw new DockerfileError(`pattern of ${pattern.length} characters is too long for the value`);
}
