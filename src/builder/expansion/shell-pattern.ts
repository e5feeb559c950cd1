/** A pattern of `${x#…}` and its kin, as code points; what is not a character is negative. */
export type ShellPattern = readonly number[];

const ANY_ONE = -1;
const ANY_RUN = -2;
const NEWLINE = 0x0a;
/** Comparisons that one expansion may cost. */
const MAX_STEPS = 2 ** 27;

/**
 * `*` and `?` match within a line; `\` takes the meaning from `*`, `?` and itself, and hides `}` and `/` from the lexer.
 *
 * @returns the pattern, or why it is none.
 */
export function parseShellPattern(text: string): ShellPattern | string {
  const pattern: number[] = [];
  const characters = Array.from(text);
  for (let at = 0; at < characters.length; at++) {
    let character = characters[at] ?? '';
    if (character === '*') {
      if (pattern.at(-1) !== ANY_RUN) pattern.push(ANY_RUN);
      continue;
    }
    if (character === '?') {
      pattern.push(ANY_ONE);
      continue;
    }
    if (character === '\\') {
      character = characters[++at] ?? '';
      if (!['*', '?', '\\', '}', '/'].includes(character))
        return `invalid escape '\\${character || '\ufffd'}'`;
    }
    pattern.push(character.codePointAt(0) ?? 0);
  }
  return pattern;
}

export interface Removal {
  readonly from: 'start' | 'end';
  readonly longest: boolean;
}

/** `value` without what `pattern` matches at one of its ends; undefined when that would cost too much. */
export function removeMatch(value: string, pattern: ShellPattern, removal: Removal): string | undefined {
  const text = Array.from(value, codePoint);
  const atEnd = removal.from === 'end';
  const ends = atEnd
    ? matchEnds(text.toReversed(), pattern.toReversed(), removal.longest)
    : matchEnds(text, pattern, removal.longest);
  if (ends === undefined) return undefined;
  const end = ends[0] ?? -1;
  if (end < 0) return value;
  return fromCodePoints(atEnd ? text.slice(0, text.length - end) : text.slice(end));
}

/** The longest matches of `pattern`, leftmost first, as [start, end[ of code points; undefined when that would cost too much. */
export function findMatches(
  text: readonly number[],
  pattern: ShellPattern,
  all: boolean,
): [number, number][] | undefined {
  const ends = matchEnds(text, pattern, true);
  if (ends === undefined) return undefined;
  const matches: [number, number][] = [];
  for (let at = 0, last = -1; at <= text.length; ) {
    const end = ends[at] ?? -1;
    // An empty match directly behind another one is none.
    if (end >= 0 && (end > last || at === 0)) {
      matches.push([at, end]);
      if (!all) break;
      last = end;
    }
    at = end > at ? end : at + 1;
  }
  return matches;
}

export function codePoint(character: string): number {
  return character.codePointAt(0) ?? 0;
}

export function fromCodePoints(points: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < points.length; at += 4096)
    parts.push(String.fromCodePoint(...points.slice(at, at + 4096)));
  return parts.join('');
}

/**
 * For every start, where the match from there ends: the farthest or the nearest end, -1 without one. From the last element of the
 * pattern to the first, so that its cost is their product and no backtracking can make it more.
 */
function matchEnds(text: readonly number[], pattern: ShellPattern, longest: boolean): Int32Array | undefined {
  if (text.length * pattern.length > MAX_STEPS) return undefined;
  const ends = Int32Array.from({ length: text.length + 1 }, (_each, at) => at);
  for (let index = pattern.length - 1; index >= 0; index--) {
    const element = pattern[index] ?? ANY_ONE;
    if (element === ANY_RUN) passRun(ends, text, longest);
    else passOne(ends, text, element);
  }
  return ends;
}

function passOne(ends: Int32Array, text: readonly number[], element: number): void {
  for (let at = 0; at < text.length; at++) {
    const matches = element === ANY_ONE ? text[at] !== NEWLINE : text[at] === element;
    ends[at] = matches ? (ends[at + 1] ?? -1) : -1;
  }
  ends[text.length] = -1;
}

function passRun(ends: Int32Array, text: readonly number[], longest: boolean): void {
  for (let at = text.length - 1; at >= 0; at--) {
    if (text[at] === NEWLINE) continue;
    const here = ends[at] ?? -1;
    const later = ends[at + 1] ?? -1;
    if (here < 0 || later < 0) ends[at] = Math.max(here, later);
    else ends[at] = longest ? Math.max(here, later) : Math.min(here, later);
  }
}
