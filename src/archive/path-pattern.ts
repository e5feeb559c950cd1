import { EngineError } from '../errors/engine-error.ts';

/** One element of a pattern: a character, or what stands for several. */
type Element =
  | { readonly kind: 'character'; readonly code: number }
  /** `[a-c^x]`: ranges of code points. It alone can match a slash by not naming it. */
  | {
      readonly kind: 'class';
      readonly negated: boolean;
      readonly ranges: readonly (readonly [number, number])[];
    }
  /** `?`: one character of a name. */
  | { readonly kind: 'one' }
  /** `*`: any characters of a name. */
  | { readonly kind: 'run' }
  /** A double star that something follows: any folders, or none. */
  | { readonly kind: 'folders' }
  /** A double star at the end: all that may come. */
  | { readonly kind: 'rest' };

const SLASH = 0x2f;
/** Longest pattern; a path is never longer. */
const MAX_PATTERN_LENGTH = 4096;
/** States that fit in the bits of an integer. */
const MAX_BITS = 30;

/**
 * One pattern of a `.dockerignore`, cleaned, without `!`. Matching costs the product of the lengths at most, whatever the stars.
 *
 * Docker's rules: `*` and `?` stay within a name, `**` crosses names, `[…]` is a class, `\` takes the meaning from the next character;
 * a pattern that begins with a double star and is plain text behind it matches whatever ends so (`**file` takes `myfile`), one that is
 * plain text up to a double star at its end matches whatever starts so.
 */
export class PathPattern {
  readonly text: string;
  readonly #matcher: Matcher;

  /** @throws EngineError "invalid" `syntax error in pattern`, as Go's path matcher judges. */
  constructor(text: string) {
    this.text = text;
    const elements = readElements(text);
    this.#matcher = plainMatcher(text, elements) ?? new Automaton(elements);
  }

  matches(path: string): boolean {
    return this.#matcher.matches(path);
  }

  /** Whether there can be a path below `folder` that matches. */
  mayMatchBelow(folder: string): boolean {
    return this.#matcher.mayMatchBelow(folder);
  }
}

interface Matcher {
  matches(path: string): boolean;
  mayMatchBelow(folder: string): boolean;
}

/** For patterns whose only specials are double stars at one end. */
function plainMatcher(text: string, elements: readonly Element[]): Matcher | undefined {
  const kinds = elements.map((element) => element.kind);
  const isPlain = !text.includes('\\') && !text.includes(']');
  const startsDeep = text.startsWith('**');
  const inner = startsDeep ? kinds.slice(1) : kinds.at(-1) === 'rest' ? kinds.slice(0, -1) : kinds;
  if (!isPlain || inner.some((kind) => kind !== 'character')) return undefined;
  if (startsDeep) {
    const end = text.slice(2);
    return {
      matches: (path) => path.endsWith(end) || (end.startsWith('/') && path === end.slice(1)),
      mayMatchBelow: () => true,
    };
  }
  if (kinds.at(-1) === 'rest') {
    const start = text.slice(0, -2);
    return {
      matches: (path) => path.startsWith(start),
      mayMatchBelow: (folder) => start.startsWith(`${folder}/`) || `${folder}/`.startsWith(start),
    };
  }
  return { matches: (path) => path === text, mayMatchBelow: (folder) => text.startsWith(`${folder}/`) };
}

/** Reads a path once and keeps all places of the pattern where it may be. */
class Automaton implements Matcher {
  readonly #elements: readonly Element[];
  /** Plain text at both ends, to refuse most paths without a walk. */
  readonly #start: string;
  readonly #end: string;

  constructor(elements: readonly Element[]) {
    this.#elements = elements;
    this.#start = plainRun(elements);
    this.#end = Array.from(plainRun(elements.toReversed())).toReversed().join('');
  }

  matches(path: string): boolean {
    if (!path.startsWith(this.#start) || !path.endsWith(this.#end)) return false;
    return this.#walk(path).has(this.#elements.length);
  }

  mayMatchBelow(folder: string): boolean {
    return !this.#walk(`${folder}/`).isEmpty();
  }

  #walk(path: string): Places {
    const places = newPlaces(this.#elements.length);
    this.#enter(0, places);
    let current = places;
    for (let at = 0; at < path.length && !current.isEmpty(); ) {
      const code = path.codePointAt(at) ?? 0;
      const next = newPlaces(this.#elements.length);
      current.forEach((place) => this.#step(place, code, next));
      current = next;
      at += code > 0xffff ? 2 : 1;
    }
    return current;
  }

  #step(place: number, code: number, next: Places): void {
    const element = this.#elements[place];
    if (element === undefined) return;
    switch (element.kind) {
      case 'run':
        if (code !== SLASH) this.#enter(place, next);
        return;
      case 'rest':
        this.#enter(place, next);
        return;
      case 'folders':
        next.add(place);
        if (code === SLASH) this.#enter(place + 1, next);
        return;
      default:
        if (takes(element, code)) this.#enter(place + 1, next);
    }
  }

  /** Elements that may stand for nothing are passed at once. */
  #enter(place: number, places: Places): void {
    for (let at = place; ; at++) {
      places.add(at);
      const kind = this.#elements[at]?.kind;
      if (kind !== 'run' && kind !== 'rest' && kind !== 'folders') return;
    }
  }
}

function takes(element: Exclude<Element, { kind: 'run' | 'rest' | 'folders' }>, code: number): boolean {
  switch (element.kind) {
    case 'character':
      return element.code === code;
    case 'one':
      return code !== SLASH;
    case 'class':
      return element.ranges.some(([from, to]) => code >= from && code <= to) !== element.negated;
  }
}

/** A set of places in a pattern. */
interface Places {
  add(place: number): void;
  has(place: number): boolean;
  isEmpty(): boolean;
  forEach(visit: (place: number) => void): void;
}

function newPlaces(length: number): Places {
  return length < MAX_BITS ? new BitPlaces() : new ManyPlaces();
}

class BitPlaces implements Places {
  #bits = 0;
  add(place: number): void {
    this.#bits |= 1 << place;
  }
  has(place: number): boolean {
    return (this.#bits & (1 << place)) !== 0;
  }
  isEmpty(): boolean {
    return this.#bits === 0;
  }
  forEach(visit: (place: number) => void): void {
    for (let bits = this.#bits; bits !== 0; bits &= bits - 1) visit(31 - Math.clz32(bits & -bits));
  }
}

class ManyPlaces implements Places {
  readonly #places = new Set<number>();
  add(place: number): void {
    this.#places.add(place);
  }
  has(place: number): boolean {
    return this.#places.has(place);
  }
  isEmpty(): boolean {
    return this.#places.size === 0;
  }
  forEach(visit: (place: number) => void): void {
    this.#places.forEach(visit);
  }
}

function plainRun(elements: readonly Element[]): string {
  const parts: string[] = [];
  for (const element of elements) {
    if (element.kind !== 'character') break;
    parts.push(String.fromCodePoint(element.code));
  }
  return parts.join('');
}

function readElements(text: string): Element[] {
  if (text.length > MAX_PATTERN_LENGTH) {
    throw new EngineError('invalid', `pattern of ${text.length} characters is longer than any path`);
  }
  const characters = Array.from(text);
  const elements: Element[] = [];
  for (let at = 0; at < characters.length; ) {
    const { element, end } = readElement(characters, at);
    if (element.kind !== 'run' || elements.at(-1)?.kind !== 'run') elements.push(element);
    at = end;
  }
  return elements;
}

function readElement(characters: readonly string[], at: number): { element: Element; end: number } {
  const character = characters[at] ?? '';
  if (character === '*' && characters[at + 1] === '*') {
    const end = characters[at + 2] === '/' ? at + 3 : at + 2;
    return { element: { kind: end >= characters.length ? 'rest' : 'folders' }, end };
  }
  if (character === '*') return { element: { kind: 'run' }, end: at + 1 };
  if (character === '?') return { element: { kind: 'one' }, end: at + 1 };
  if (character === '[') return readClass(characters, at + 1);
  if (character !== '\\') return { element: { kind: 'character', code: codeOf(character) }, end: at + 1 };
  const escaped = characters[at + 1];
  if (escaped === undefined) throw badPattern();
  return { element: { kind: 'character', code: codeOf(escaped) }, end: at + 2 };
}

function readClass(characters: readonly string[], start: number): { element: Element; end: number } {
  const negated = characters[start] === '^';
  const ranges: [number, number][] = [];
  let at = negated ? start + 1 : start;
  while (characters[at] !== ']' || ranges.length === 0) {
    const low = readClassCharacter(characters, at);
    at = low.end;
    if (characters[at] !== '-') {
      ranges.push([low.code, low.code]);
      continue;
    }
    const high = readClassCharacter(characters, at + 1);
    ranges.push([low.code, high.code]);
    at = high.end;
  }
  return { element: { kind: 'class', negated, ranges }, end: at + 1 };
}

function readClassCharacter(characters: readonly string[], at: number): { code: number; end: number } {
  const escaped = characters[at] === '\\';
  const place = escaped ? at + 1 : at;
  const character = characters[place];
  // A class has to go on behind each of its characters, so the last of the pattern ends none.
  if (character === undefined || characters[place + 1] === undefined) throw badPattern();
  if (!escaped && (character === '-' || character === ']')) throw badPattern();
  return { code: codeOf(character), end: place + 1 };
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

function badPattern(): EngineError {
  return new EngineError('invalid', 'syntax error in pattern');
}
