import { EngineError } from '../errors/engine-error.ts';

export interface ParentMatch {
  readonly matched: readonly boolean[];
}

interface Pattern {
  exclusion: boolean;
  expression: RegExp;
}

/** Patterns of `.dockerignore`; the last that matches a path or a directory above it decides, `!` takes back. */
export class PatternMatcher {
  readonly #patterns: Pattern[];

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.flatMap((text) => parse(text.trim()) ?? []);
  }

  get hasExceptions(): boolean {
    return this.#patterns.some(({ exclusion }) => exclusion);
  }

  /** `parent`: what `match` said of the directory above; undefined: it wasn't asked. */
  match(path: string, parent: ParentMatch | undefined): { matches: boolean; state: ParentMatch } {
    let matches = false;
    const matched = this.#patterns.map(({ exclusion, expression }, at) => {
      let match = parent?.matched[at] ?? false;
      if (!match) {
        if (exclusion !== matches) return false;
        match =
          expression.test(path) ||
          (parent === undefined && parentsOf(path).some((above) => expression.test(above)));
      }
      if (match) matches = !exclusion;
      return match;
    });
    return { matches, state: { matched } };
  }

  /** The pattern that matches `path` alone. */
  static literal(path: string): string {
    return path.replace(/[*?[\]\\!]/g, '\\$&');
  }
}

function parentsOf(path: string): string[] {
  const names = path.split('/').slice(0, -1);
  return names.map((_, at) => names.slice(0, at + 1).join('/'));
}

function parse(text: string): Pattern | undefined {
  if (text === '') return undefined;
  const exclusion = text.startsWith('!');
  const cleaned = clean(exclusion ? text.slice(1) : text);
  if (exclusion && text.length === 1) throw new EngineError('invalid', 'illegal exclusion pattern: "!"');
  return { exclusion, expression: compile(cleaned) };
}

function clean(pattern: string): string {
  const kept: string[] = [];
  for (const name of pattern.split('/'))
    if (name === '..' && kept.length > 0 && kept.at(-1) !== '..') kept.pop();
    else if (name !== '' && name !== '.') kept.push(name);
  return (pattern.startsWith('/') ? '/' : '') + (kept.join('/') || (pattern.startsWith('/') ? '' : '.'));
}

function compile(pattern: string): RegExp {
  let source = '^';
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] ?? '';
    if (character === '*' && pattern[at + 1] === '*') {
      at++;
      if (pattern[at + 1] === '/') at++;
      source += at + 1 >= pattern.length ? '.*' : '(.*/)?';
    } else if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (character === '\\') source += `\\${pattern[++at] ?? '\\'}`;
    else if (character === '[' || character === ']') source += character;
    else source += character.replace(/[.$^{}()|+/]/, '\\$&');
  }
  try {
    return new RegExp(`${source}$`, 's');
  } catch (error) {
    throw new EngineError('invalid', 'syntax error in pattern', { cause: error });
  }
}
