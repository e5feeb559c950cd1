import { EngineError } from '../errors/engine-error.ts';
import { PathPattern } from './path-pattern.ts';

interface Rule {
  readonly pattern: PathPattern;
  /** `!`: what it matches is taken back in. */
  readonly negated: boolean;
}

/** What is known of one path, to be handed on to the paths below it. */
export interface PathMatch {
  /** Whether the patterns take the path: in a `.dockerignore`, whether it is left out. */
  readonly matched: boolean;
  /** By pattern: whether it matches the path or a folder above it, as far as that was asked. */
  readonly byRule: readonly boolean[];
}

/**
 * A list of patterns as `.dockerignore` and `--exclude` have it: the last one that matches a path, or a folder above it, decides.
 * Paths are relative, `/`-separated, without a `/` at the start.
 */
export class PatternMatcher {
  readonly #rules: readonly Rule[];

  /** Blank patterns are dropped, the others cleaned. @throws EngineError "invalid", in Docker's words. */
  constructor(patterns: readonly string[]) {
    this.#rules = patterns
      .map((pattern) => pattern.trim())
      .filter((pattern) => pattern !== '')
      .map((pattern) => ruleOf(cleanPath(pattern)));
  }

  /** The patterns as they are matched, in their order. */
  get patterns(): readonly { readonly text: string; readonly negated: boolean }[] {
    return this.#rules.map(({ pattern, negated }) => ({ text: pattern.text, negated }));
  }

  /** Whether any pattern begins with `!`. */
  get hasNegated(): boolean {
    return this.#rules.some((rule) => rule.negated);
  }

  /** Whether the list takes `path`; folders above it are looked at too. */
  matches(path: string): boolean {
    return this.match(path).matched;
  }

  /** The same, with what a walk already knows of the folder that `path` lies in. */
  match(path: string, parent?: PathMatch): PathMatch {
    let matched = false;
    const byRule = this.#rules.map(({ pattern, negated }, index) => {
      if (parent?.byRule[index] === true) {
        matched = !negated;
        return true;
      }
      // A pattern that could change nothing is not asked.
      if (negated !== matched) return false;
      const hit = pattern.matches(path) || (parent === undefined && matchesFolderOf(path, pattern));
      if (hit) matched = !negated;
      return hit;
    });
    return { matched, byRule };
  }

  /** Whether all below `folder` is taken as it is itself, so that a walk that wants nothing of it need not go in. */
  takesAllBelow(folder: string, { matched, byRule }: PathMatch): boolean {
    if (!matched) return false;
    const decisive = this.#rules.findLastIndex((rule, index) => !rule.negated && byRule[index] === true);
    return !this.#rules.some(
      ({ pattern, negated }, index) => negated && index > decisive && pattern.mayMatchBelow(folder),
    );
  }
}

function ruleOf(cleaned: string): Rule {
  const negated = cleaned.startsWith('!');
  if (cleaned === '!') throw new EngineError('invalid', 'illegal exclusion pattern: "!"');
  return { pattern: new PathPattern(negated ? cleaned.slice(1) : cleaned), negated };
}

function matchesFolderOf(path: string, pattern: PathPattern): boolean {
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
    if (pattern.matches(path.slice(0, at))) return true;
  }
  return false;
}

/** Go's `filepath.Clean`: the shortest spelling, without a `/` at the end. (Bun's own `path` loses what is not UTF-8.) */
export function cleanPath(path: string): string {
  const root = path.startsWith('/') ? '/' : '';
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') names.push(name);
    else if (names.length > 0 && names.at(-1) !== '..') names.pop();
    else if (root === '') names.push(name);
  }
  return root + names.join('/') || '.';
}
